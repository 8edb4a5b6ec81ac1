package health

import "fmt"

// checkOldestAge finds agents with a request that waits for too long.
func checkOldestAge(s Snapshot, t Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		if a.Lag == 0 || s.explained(name, &a) {
			continue
		}
		f, ok := measured(agent(name), a.OldestAge, t.Of(name).OldestAge, span, func() string {
			if a.Lag == 1 {
				return "its only request waits for " + span(a.OldestAge)
			}
			return fmt.Sprintf("the oldest of %d requests waits for %s", a.Lag, span(a.OldestAge))
		})
		if ok {
			f.Backlog, f.Affects = true, []string{name}
			found = append(found, f)
		}
	}
	return found
}
