package health

import (
	"maps"
	"slices"
	"strings"
	"time"

	"genesis/pkg/bus"
)

// Bounds of a [Watch].
const (
	// settling is for how long after the start, or after an outage of the broker, workers
	// may still be on their way.
	settling = 5 * time.Second
	// kept is for how long something that is well is remembered: as long as its last event.
	kept = 7 * 24 * time.Hour
)

// A Change is an event worth telling: a component has been in another state for long
// enough. It is not committed by that.
type Change struct {
	Component bus.Component
	// Event has no ID yet; its time is that of the round.
	Event bus.HealthEvent
	// After is the sequence of the component's last event, 0 for none: another event
	// since then means that the change was told by somebody else.
	After uint64
}

// A Watch decides which verdicts are worth telling. It remembers the committed state of
// each component, which is that of its last event, and for how many rounds in a row the
// verdicts say something else.
//
//   - A state worsens after WorseAfter rounds in a row that are at least so bad, or in the
//     first round by a certain finding; it improves after BetterAfter rounds in a row that
//     are at least so good. The patience with improvements doubles at each relapse within
//     an hour, up to 64 rounds. So, within such an hour, a component that has told of R
//     relapses was well for BetterAfter * (1 + 2 + 4 + ...) rounds, R terms of at most 64
//     each; between two relapses there are at most four events.
//   - Rounds out of turn do not count: they tell what is certain, and what is due already.
//   - An event tells what the round says in which it is due, so that state and reason agree.
//   - A threshold that a check has crossed is left only below 80 % of itself, while the
//     component is in that state.
//   - While the broker is away, or a component cannot be judged, its state stands, and its
//     rounds are counted from nothing afterwards.
//   - For 5 seconds after the start or an outage, and one round at least, certain findings
//     say nothing, except those about the broker: workers are still on their way.
//   - What passes by itself, because the cluster elects another leader, changes nothing for
//     15 seconds.
//   - What is not there any more recovers like what is well. A lost worker takes
//     [Forgotten] for it, and what cannot be known without being there never does.
//
// Rounds are counted, and time is the sum of the rounds' Elapsed: the steps of a clock
// change nothing. Not safe for concurrent use.
type Watch struct {
	worse, better int
	clock         time.Duration // watched in all
	settled       time.Duration // the clock at which workers should be there
	fresh         bool          // the next round that is not blind is the first
	rounds        uint64
	at            time.Time     // of the last round,
	pace          time.Duration // and its Elapsed
	entries       map[bus.Component]*entry
}

// NewWatch returns a watch for which everything is healthy and nothing was ever told.
func NewWatch(t Thresholds) *Watch {
	return &Watch{
		worse: max(1, t.WorseAfter), better: max(1, t.BetterAfter), fresh: true,
		entries: map[bus.Component]*entry{},
	}
}

// Restore replaces all committed states by the last event of each component there is.
// Use it at the start, and whenever the broker knows better.
func (w *Watch) Restore(last []bus.StoredHealthEvent) {
	known := make(map[bus.Component]uint64, len(last))
	for _, e := range last {
		known[e.Component] = e.Sequence
	}
	for c, e := range w.entries {
		if e.sequence != known[c] {
			delete(w.entries, c)
		}
	}
	for _, e := range last {
		if w.entries[e.Component] == nil {
			w.entry(e.Component).restore(e, w.clock)
		}
	}
}

// Commit takes over an event that is stored, whoever published it. What is older than
// the last one, or that one again, changes nothing.
func (w *Watch) Commit(e bus.StoredHealthEvent) {
	entry := w.entry(e.Component)
	if e.Sequence > entry.sequence || e.Sequence == entry.sequence && e.ID != entry.event.ID {
		entry.commit(e, w.clock)
	}
}

// Observe counts a round and returns what should be told, causes first. What is not
// committed by then is returned again by the next round, if that still says so.
func (w *Watch) Observe(r Round) []Change {
	w.clock += max(0, r.Elapsed)
	if w.fresh && !r.Blind {
		w.settled = w.clock + settling
	}
	settled := w.clock >= w.settled
	w.fresh = r.Blind
	var changes []Change
	w.rounds++
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		e := w.entries[v.Component]
		if e == nil {
			if v.Unknown || v.Data.State == bus.StateHealthy {
				continue
			}
			e = w.entry(v.Component)
		}
		e.seen = w.rounds
		changes = w.turn(changes, e, &r, e.judge(v, settled, r.Elapsed))
	}
	for _, c := range w.others() {
		e := w.entries[c]
		changes = w.turn(changes, e, &r, e.missing(&r, w.clock))
	}
	if !r.Early {
		w.at, w.pace = r.At, r.Elapsed
	}
	return changes
}

// turn lets an entry count what the round says of it, and appends the change if one is due.
func (w *Watch) turn(changes []Change, e *entry, r *Round, says judgement) []Change {
	if !e.count(says, w.worse, e.patience(w.better), r.Early) {
		return changes
	}
	says.data.Previous = e.state
	if says.data.Reason == "" && r.snapshot != nil {
		says.data.Reason = r.snapshot.wellness(e.component)
	}
	event := bus.HealthEvent{Time: r.At, Component: e.component, Data: says.data}
	return append(changes, Change{e.component, event, e.sequence})
}

// others are the components that no verdict is about, in order. Those that have long
// been well are forgotten.
func (w *Watch) others() []bus.Component {
	maps.DeleteFunc(w.entries, func(c bus.Component, e *entry) bool {
		return e.seen != w.rounds && e.state == bus.StateHealthy && w.clock-e.since >= kept
	})
	var rest []bus.Component
	for c, e := range w.entries {
		if e.seen != w.rounds {
			rest = append(rest, c)
		}
	}
	slices.SortFunc(rest, compare)
	return rest
}

func (w *Watch) entry(c bus.Component) *entry {
	e := w.entries[c]
	if e == nil {
		e = &entry{component: c, state: bus.StateHealthy, since: w.clock}
		w.entries[c] = e
	}
	return e
}

func compare(a, b bus.Component) int { return strings.Compare(a.String(), b.String()) }
