package health

import (
	"fmt"
	"time"
)

// checkDrainTime finds agents that take long to do what waits, measured by how long one
// execution may take.
//
// It says something only when requests have waited for that long: before, the service
// rate tells how much was asked for, and not how much could be done.
func checkDrainTime(s Snapshot, t Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		if a.Timeout <= 0 || a.pending() == 0 || a.OldestAge < a.Timeout || a.Service < 0 || s.explained(name, &a) {
			continue
		}
		drain, reason := drainTime(&a)
		show := func(times float64) string { return span(time.Duration(times * float64(a.Timeout))) }
		f, ok := measured(agent(name), float64(drain)/float64(a.Timeout), t.Of(name).DrainTime, show, func() string { return reason })
		if ok {
			f.Backlog, f.Affects = true, []string{name}
			found = append(found, f)
		}
	}
	return found
}

// drainTime is how long the work that waits will take, with the reason. When none is done
// it is not known, but not less than it took so far.
func drainTime(a *Agent) (time.Duration, string) {
	what := count(a.Lag, "request")
	switch drain, known := a.DrainTime(); {
	case !known:
		return a.OldestAge, fmt.Sprintf("none of %s is settled, the oldest waits for %s", what, span(a.OldestAge))
	case drain > longest:
		return drain, fmt.Sprintf("%s %s more than a day at %s", what, verb(a.Lag, "take"), rate(a.Service))
	default:
		return drain, fmt.Sprintf("%s %s %s at %s", what, verb(a.Lag, "take"), span(drain), rate(a.Service))
	}
}

// pending is how much work is in no worker's hands.
func (a *Agent) pending() uint64 {
	n := uint64(0)
	for _, lane := range a.Lanes {
		n += lane.Pending
	}
	return n
}
