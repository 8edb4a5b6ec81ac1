package health

import (
	"fmt"
	"maps"
	"slices"

	"genesis/pkg/bus"
)

// checkBreaker finds providers that are not called, or not by all.
func checkBreaker(s Snapshot, _ Thresholds) []Finding {
	if !s.WorkersKnown {
		return nil
	}
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(s.Breakers)) {
		b := s.Breakers[name]
		state, reason := bus.StateDegraded, ""
		all := b.Open + b.HalfOpen + b.Closed
		switch {
		case b.Isolated:
			state, reason = bus.StateUnhealthy, "an operator holds it open"
		case b.Shut():
			state, reason = bus.StateUnhealthy, fmt.Sprintf("open in %d of %s", b.Open, count(all, "worker"))
		case b.HalfOpen > 0:
			reason = fmt.Sprintf("on trial in %d of %s", b.HalfOpen, count(all, "worker"))
		case b.Open > 0:
			reason = fmt.Sprintf("open in %d of %s", b.Open, count(all, "worker"))
		default:
			continue
		}
		if b.Reason != "" {
			reason += ": " + clip(b.Reason)
		}
		f := fact(bus.Component{Kind: bus.KindBreaker, Name: name}, state, reason)
		f.Affects = b.Agents
		found = append(found, f)
	}
	return found
}
