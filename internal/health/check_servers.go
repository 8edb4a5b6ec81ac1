package health

import (
	"fmt"

	"genesis/pkg/bus"
)

// checkServers finds servers of the cluster that are away or behind.
func checkServers(s Snapshot, _ Thresholds) []Finding {
	away := s.serversAway()
	if s.blind() != "" || len(away) == 0 {
		return nil
	}
	reason := fmt.Sprintf("server %s of %d is away or behind", listed(away), s.Broker.Servers)
	if n := len(away); n > 1 {
		reason = fmt.Sprintf("%d of %d servers are away or behind: %s", n, s.Broker.Servers, listed(away))
	}
	return []Finding{fact(NATS(), bus.StateDegraded, reason)}
}
