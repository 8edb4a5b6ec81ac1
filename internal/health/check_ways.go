package health

import (
	"slices"

	"genesis/pkg/bus"
)

// checkWays finds agents that cannot answer as they should, because the breakers of
// their providers are open.
func checkWays(s Snapshot, _ Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		shut := s.shut(&a)
		if shut == 0 {
			continue
		}
		if shut < len(a.Ways) {
			next := "its static answer serves"
			if way := a.Ways[shut]; way != "" {
				next = way + " answers instead"
			}
			found = append(found, trouble(name, bus.StateDegraded, "the breaker of "+a.Ways[0]+" is open; "+next))
			continue
		}
		reason := "the breaker of " + a.Ways[0] + ", its only way to answer, is open; "
		if shut > 1 {
			ways := slices.Compact(slices.Sorted(slices.Values(a.Ways)))
			reason = "the breakers of all its ways to answer are open: " + listed(ways) + "; "
		}
		found = append(found, trouble(name, bus.StateUnhealthy, reason+waiting(&a)))
	}
	return found
}
