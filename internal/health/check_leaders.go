package health

import (
	"fmt"
	"slices"
	"strings"

	"genesis/pkg/bus"
)

// checkLeaders finds what cannot be used because servers of the cluster are away. Most of
// it is led by another server soon.
func checkLeaders(s Snapshot, _ Thresholds) []Finding {
	if s.blind() != "" || len(s.serversAway()) == 0 {
		return nil
	}
	var headless, shut, affected []string
	for name, st := range s.Streams {
		if st.leaderless() {
			headless = append(headless, name)
			affected = append(affected, s.users(name)...)
		}
	}
	for name, a := range s.Agents {
		if a.Problem != "" && !s.queueDown(name) {
			shut = append(shut, name)
		}
	}
	if len(headless)+len(shut) == 0 {
		return nil
	}
	slices.Sort(headless)
	slices.Sort(shut)
	affected = append(affected, shut...)
	slices.Sort(affected)
	var reasons []string
	if n := len(headless); n > 0 {
		reasons = append(reasons, fmt.Sprintf("%s %s no leader: %s", count(n, "stream"), either(n, "has", "have"), listed(headless)))
	}
	if len(shut) > 0 {
		reasons = append(reasons, "out of use are the queues of "+listed(shut))
	}
	f := fact(NATS(), bus.StateUnhealthy, strings.Join(reasons, "; "))
	f.Passing, f.Affects = true, slices.Compact(affected)
	return []Finding{f}
}
