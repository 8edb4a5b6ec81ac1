package health

import (
	"fmt"
	"slices"

	"genesis/pkg/bus"
)

// checkReplicas finds copies of a stream that are away, unless their server is.
func checkReplicas(s Snapshot, _ Thresholds) []Finding {
	away := s.serversAway()
	var found []Finding
	for name, st := range s.streamsJudged() {
		if len(st.Offline) == 0 || s.streamDown(name) {
			continue
		}
		var own []string
		for _, server := range st.Offline {
			if !slices.Contains(away, server) {
				own = append(own, server)
			}
		}
		if n := len(own); n > 0 {
			found = append(found, fact(stream(name), bus.StateDegraded,
				fmt.Sprintf("%d of its %d replicas %s away or behind: %s", n, st.Replicas, either(n, "is", "are"), listed(own))))
		}
	}
	return found
}
