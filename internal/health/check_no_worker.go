package health

import (
	"fmt"

	"genesis/pkg/bus"
)

// checkNoWorker finds agents that nobody serves.
func checkNoWorker(s Snapshot, _ Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		if a.Workers > 0 || a.Problem != "" {
			continue
		}
		f := trouble(name, bus.StateUnhealthy, "no worker serves it; "+waiting(&a))
		f.Certain = true
		found = append(found, f)
	}
	return found
}

// waiting says how much work an agent has, and since when.
func waiting(a *Agent) string {
	if a.Lag == 0 {
		return "nothing waits"
	}
	age := ""
	if a.OldestAge > 0 {
		age = " for " + span(a.OldestAge)
		if a.Lag > 1 {
			age = ", the oldest" + age
		}
	}
	return fmt.Sprintf("%s %s%s", count(a.Lag, "request"), verb(a.Lag, "wait"), age)
}
