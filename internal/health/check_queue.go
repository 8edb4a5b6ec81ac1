package health

import "genesis/pkg/bus"

// checkQueue finds agents whose queue is there and cannot be used.
func checkQueue(s Snapshot, _ Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		if a.Problem != "" {
			found = append(found, trouble(name, bus.StateUnhealthy, "its queue is out of use: "+clip(a.Problem)))
		}
	}
	return found
}

// trouble is a fact about an agent.
func trouble(name string, state bus.HealthState, reason string) Finding {
	f := fact(agent(name), state, reason)
	f.Affects = []string{name}
	return f
}
