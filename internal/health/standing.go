package health

import (
	"maps"
	"slices"
	"time"

	"genesis/pkg/bus"
)

// A Standing is the committed state of a component, with what the last round says of it.
type Standing struct {
	Component bus.Component
	State     bus.HealthState
	Since     time.Time // of the event that told of it
	Sequence  uint64    // of that event
	// Reason is that of the last round, if that found something, or else that of the event.
	Reason string
	// EstimatedRecovery is when it should be over; nil when nobody can tell.
	EstimatedRecovery *time.Time
	Affects           []string // agents, sorted
}

// Standings are the components that were ever told of, sorted. All others are healthy.
func (w *Watch) Standings() []Standing {
	var all []Standing
	for _, c := range slices.SortedFunc(maps.Keys(w.entries), compare) {
		if e := w.entries[c]; e.event.Component == c {
			all = append(all, w.standing(e))
		}
	}
	return all
}

func (w *Watch) standing(e *entry) Standing {
	s := Standing{
		Component: e.component, State: e.state, Since: e.event.Time, Sequence: e.sequence,
		Reason: e.event.Data.Reason, Affects: e.event.Data.AffectedServices,
	}
	switch now := e.now.data; {
	case e.state == bus.StateHealthy || now.State == "":
	case now.State == bus.StateHealthy:
		rounds := e.patience(w.better) - e.asGood[0]
		if rounds > 0 && w.pace > 0 {
			at := w.at.Add(time.Duration(rounds) * w.pace)
			s.EstimatedRecovery = &at
		}
	default:
		s.Reason, s.Affects, s.EstimatedRecovery = now.Reason, now.AffectedServices, now.EstimatedRecovery
	}
	return s
}
