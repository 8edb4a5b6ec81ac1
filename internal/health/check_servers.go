package health

import (
	"fmt"
	"maps"
	"slices"

	"genesis/pkg/bus"
)

// checkServers finds servers of the cluster that are away or behind, and the streams
// that have no leader because of it.
func checkServers(s Snapshot, _ Thresholds) []Finding {
	away := s.serversAway()
	if s.blind() != "" || len(away) == 0 {
		return nil
	}
	n := uint64(len(away))
	reason := fmt.Sprintf("server %s of %d is away or behind", listed(away), s.Broker.Servers)
	if n > 1 {
		reason = fmt.Sprintf("%d of %d servers are away or behind: %s", n, s.Broker.Servers, listed(away))
	}
	f := fact(NATS(), bus.StateDegraded, reason)
	var headless []string
	for _, name := range slices.Sorted(maps.Keys(s.Streams)) {
		if st := s.Streams[name]; st.leaderless() {
			headless = append(headless, name)
			f.Affects = append(f.Affects, s.users(name)...)
		}
	}
	if k := uint64(len(headless)); k > 0 {
		f.State, f.Keep = bus.StateUnhealthy, bus.StateUnhealthy
		f.Reason = fmt.Sprintf("%s; %s %s no leader: %s", reason, count(k, "stream"), has(k), listed(headless))
	}
	return []Finding{f}
}

func has(n uint64) string {
	if n == 1 {
		return "has"
	}
	return "have"
}
