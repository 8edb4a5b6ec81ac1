package health

import "fmt"

// checkLag finds agents with much work that is not settled.
func checkLag(s Snapshot, t Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		if s.explained(name, &a) {
			continue
		}
		f, ok := measured(agent(name), a.Lag, t.Of(name).Lag, whole, func() string {
			return fmt.Sprintf("%s %s not settled", count(a.Lag, "request"), either(a.Lag, "is", "are"))
		})
		if ok {
			f.Backlog, f.Affects = true, []string{name}
			found = append(found, f)
		}
	}
	return found
}
