package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"genesis/pkg/bus"
)

// A Finding is one thing that one check found about one component.
type Finding struct {
	Component bus.Component
	Check     string
	// State is how the component is by the thresholds as they are.
	State bus.HealthState
	// Keep is how it is by 80 % of them, which counts for a component that is already in
	// that state; never better than State.
	Keep bus.HealthState
	// Reason is the fact with its figures, for people. Bounds are the thresholds of
	// degraded and unhealthy that belong to it; empty without.
	Reason string
	Bounds [2]string
	// Certain findings need no second round.
	Certain bool
	// Passing findings are over soon, in most cases, because the cluster elects another
	// leader. They count when they have been there for 15 seconds.
	Passing bool
	// Backlog says that it is over when the work that waits is done.
	Backlog bool
	// Affects are the agents that suffer from it, sorted.
	Affects []string
}

// fact is a finding that no threshold belongs to.
func fact(c bus.Component, state bus.HealthState, reason string) Finding {
	return Finding{Component: c, State: state, Keep: state, Reason: reason}
}

// measured is a finding about a value with thresholds; false when it is well below them.
func measured[T uint64 | float64 | time.Duration](c bus.Component, v T, l Level[T], show func(T) string, reason func() string) (Finding, bool) {
	keep := l.state(v, leave)
	if keep == bus.StateHealthy {
		return Finding{}, false
	}
	f := Finding{Component: c, State: l.state(v, 1), Keep: keep, Reason: reason()}
	if l.Degraded > 0 {
		f.Bounds[0] = show(l.Degraded)
	}
	if l.Unhealthy > 0 {
		f.Bounds[1] = show(l.Unhealthy)
	}
	return f, true
}

// text is the reason for a state, with the threshold that says so.
func (f *Finding) text(state bus.HealthState) string {
	rank := state.Rank()
	if rank == 0 || f.Bounds[rank-1] == "" {
		return f.Reason
	}
	kept := ""
	if f.State.Rank() < rank {
		kept = " until below 80 % of it"
	}
	return fmt.Sprintf("%s (%s from %s%s)", f.Reason, state, f.Bounds[rank-1], kept)
}

// A weighing is what findings about one component come to.
type weighing struct {
	state   bus.HealthState
	reason  string
	certain bool // that it is no better needs no second round
	backlog bool // it is over when the work that waits is done
	affects []string
}

// weigh joins findings, each in the state that the function gives it: the worst state,
// and the reasons, the worst first.
func weigh(findings []Finding, in func(*Finding) bus.HealthState) weighing {
	w := weighing{state: bus.StateHealthy, backlog: true}
	if len(findings) == 0 {
		return w
	}
	type said struct {
		rank int
		text string
	}
	var reasons []said
	for i := range findings {
		f := &findings[i]
		state := in(f)
		if state.Rank() == 0 {
			continue
		}
		if state.Rank() > w.state.Rank() {
			w.state, w.certain = state, false
		}
		w.certain = w.certain || f.Certain && state == w.state && state == f.State
		w.backlog = w.backlog && f.Backlog
		w.affects = append(w.affects, f.Affects...)
		reasons = append(reasons, said{state.Rank(), f.text(state)})
	}
	slices.SortStableFunc(reasons, func(a, b said) int { return b.rank - a.rank })
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = r.text
	}
	w.reason = strings.Join(texts, "; ")
	slices.Sort(w.affects)
	w.affects = slices.Compact(w.affects)
	return w
}

// strictly is the state of a finding for a component that was well.
func strictly(f *Finding) bus.HealthState { return f.State }
