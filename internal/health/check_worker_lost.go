package health

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"genesis/pkg/bus"
)

// Forgotten is after how long a lost worker is not told of any more.
const Forgotten = 10 * time.Minute

// checkWorkerLost finds workers whose lease ended without a farewell. They affect the
// agents that nobody else serves.
func checkWorkerLost(s Snapshot, _ Thresholds) []Finding {
	if !s.WorkersKnown {
		return nil
	}
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(s.Workers)) {
		w := s.Workers[name]
		if w.Lost.IsZero() || s.At.Sub(w.Lost) >= Forgotten {
			continue
		}
		reason := "lost since " + moment(w.Lost) + ", without a farewell"
		if len(w.Agents) > 0 {
			reason += fmt.Sprintf("; it served %s with %s", listed(w.Agents), count(w.Slots, "slot"))
		}
		f := fact(bus.Component{Kind: bus.KindWorker, Name: name}, bus.StateUnhealthy, reason)
		f.Certain, f.Affects = true, slices.DeleteFunc(slices.Clone(w.Agents), func(name string) bool { return s.Agents[name].Workers > 0 })
		found = append(found, f)
	}
	return found
}
