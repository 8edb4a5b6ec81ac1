package health

import (
	"slices"
	"time"

	"genesis/pkg/bus"
)

// Bounds of the patience with improvements.
const (
	relapseWindow = time.Hour
	maxPatience   = 64 // rounds
	// election is how long the cluster may take to elect a leader, with some to spare.
	election = 15 * time.Second
	// noAnswer is how long a round lasts that does not know: that of one look at a broker
	// that does not answer.
	noAnswer = 5 * time.Second
)

// An entry is what a watch remembers of one component.
type entry struct {
	component bus.Component
	// The last event, and the state it told of.
	event    bus.HealthEvent
	sequence uint64
	state    bus.HealthState
	since    time.Duration // by the watch's clock, when it was committed

	relapses   int
	improved   bool          // it improved since it last worsened,
	improvedAt time.Duration // then

	// Rounds in a row that were at least so bad, or so good, by rank.
	asBad, asGood [3]int
	// held are the states that each check gave in the last round that judged it, unless
	// that does not explain the last event: then any check may have given that state.
	held      map[string]bus.HealthState
	explained bool

	// passing is for how long there have been passing findings; 0 in their first round.
	passing time.Duration
	passes  bool

	now  judgement // of the last round
	seen uint64    // the last round with a verdict on it
}

// A judgement is what a round says of a component. Without a state it says nothing.
type judgement struct {
	data    bus.HealthData
	certain bool
}

// judge weighs a verdict with what the checks said before.
func (e *entry) judge(v *Verdict, settled bool, elapsed time.Duration) judgement {
	if v.Unknown {
		return judgement{}
	}
	e.pass(v.Findings, elapsed)
	var states map[string]bus.HealthState
	if len(v.Findings) > 0 {
		states = make(map[string]bus.HealthState, len(v.Findings))
	}
	waits := false
	w := weigh(v.Findings, func(f *Finding) bus.HealthState {
		if f.Passing && e.passing < election && f.State.Rank() > e.state.Rank() {
			waits = true
			return bus.StateHealthy
		}
		states[f.Check] = e.hold(f)
		return states[f.Check]
	})
	switch {
	case waits && w.state == bus.StateHealthy:
		return judgement{}
	case w.certain && !settled && v.Component.Kind != bus.KindDependency:
		return judgement{}
	}
	e.held, e.explained = states, true
	weighed := *v
	weighed.weighed(w)
	return judgement{weighed.Data, w.certain}
}

// pass counts for how long there have been passing findings.
func (e *entry) pass(findings []Finding, elapsed time.Duration) {
	passes := slices.ContainsFunc(findings, func(f Finding) bool { return f.Passing && f.State.Rank() > 0 })
	switch {
	case !passes || !e.passes:
		e.passing = 0
	case elapsed > 0:
		e.passing += elapsed
	default:
		e.passing += noAnswer
	}
	e.passes = passes
}

// hold is the state of a finding for this component: a threshold that its check has
// crossed is left only well below, while the component is in that state.
func (e *entry) hold(f *Finding) bus.HealthState {
	before := e.held[f.Check]
	if !e.explained {
		before = e.state
	}
	state := f.State
	for _, most := range []bus.HealthState{bus.StateDegraded, bus.StateUnhealthy} {
		rank := most.Rank()
		if rank > state.Rank() && rank <= f.Keep.Rank() && rank <= before.Rank() && rank <= e.state.Rank() {
			state = most
		}
	}
	return state
}

// missing is what a round says of a component that it has no verdict on.
func (e *entry) missing(r *Round, clock time.Duration) judgement {
	switch e.component.Kind {
	case bus.KindSystem, bus.KindDependency:
		return judgement{}
	case bus.KindWorker:
		if !r.WorkersKnown || clock-e.since < Forgotten {
			return judgement{}
		}
	case bus.KindAgent, bus.KindBreaker:
		if !r.WorkersKnown {
			return judgement{}
		}
	case bus.KindStream:
	}
	if r.Blind {
		return judgement{}
	}
	e.held, e.explained = nil, true
	return judgement{data: bus.HealthData{State: bus.StateHealthy, Reason: vanished(e.component.Kind)}}
}

// count counts a round, unless it comes early, and reports whether it makes a change due.
func (e *entry) count(says judgement, worse, better int, early bool) bool {
	e.now = says
	if says.data.State == "" {
		e.asBad, e.asGood = [3]int{}, [3]int{}
		return false
	}
	rank := says.data.State.Rank()
	for i := range e.asBad {
		if !early {
			e.asBad[i]++
			e.asGood[i]++
		}
		if rank < i {
			e.asBad[i] = 0
		}
		if rank > i {
			e.asGood[i] = 0
		}
	}
	switch now := e.state.Rank(); {
	case rank > now:
		return says.certain || e.asBad[rank] >= worse
	case rank < now:
		return e.asGood[rank] >= better
	}
	return false
}

// patience is how many good rounds in a row an improvement takes.
func (e *entry) patience(better int) int {
	for range e.relapses {
		better = min(2*better, max(better, maxPatience))
	}
	return better
}

// commit takes over the last event.
func (e *entry) commit(last bus.StoredHealthEvent, clock time.Duration) {
	before, after := e.state.Rank(), last.Data.State.Rank()
	switch {
	case after < before:
		e.improved, e.improvedAt = true, clock
	case after > before && e.improved:
		if e.improved = false; clock-e.improvedAt <= relapseWindow {
			e.relapses = min(e.relapses+1, maxPatience)
		} else {
			e.relapses = 0
		}
	}
	e.event, e.sequence, e.state, e.since = last.HealthEvent, last.Sequence, last.Data.State, clock
	e.asBad, e.asGood = [3]int{}, [3]int{}
	e.explained = e.explained && e.now.data.State.Rank() >= after
}

// restore is commit for a watch that was not there.
func (e *entry) restore(last bus.StoredHealthEvent, clock time.Duration) {
	e.commit(last, clock)
	e.improved = false
}
