package health

// checkDeadLetters finds agents that give requests up.
func checkDeadLetters(s Snapshot, t Thresholds) []Finding {
	var found []Finding
	for name, a := range s.agentsJudged() {
		f, ok := measured(agent(name), a.DeadLetters, t.Of(name).DeadLetters, whole, func() string {
			return count(a.DeadLetters, "dead letter") + " in the last minute"
		})
		if ok {
			f.Affects = []string{name}
			found = append(found, f)
		}
	}
	return found
}
