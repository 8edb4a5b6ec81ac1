package health

import "fmt"

// checkErrorRate finds agents that often fail.
func checkErrorRate(s Snapshot, t Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		limits := t.Of(name)
		if a.Requests == 0 || a.Requests < limits.MinRequests {
			continue
		}
		f, ok := measured(agent(name), a.ErrorRate(), limits.ErrorRate, share, func() string {
			return fmt.Sprintf("%d of %s of the last minute failed, %s", a.Errors, count(a.Requests, "request"), share(a.ErrorRate()))
		})
		if ok {
			f.Affects = []string{name}
			found = append(found, f)
		}
	}
	return found
}
