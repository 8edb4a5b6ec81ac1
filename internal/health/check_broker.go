package health

import "genesis/pkg/bus"

// checkBroker finds that the broker is away. While it is, nothing else is judged.
func checkBroker(s Snapshot, _ Thresholds) []Finding {
	why := s.blind()
	if why == "" {
		return nil
	}
	f := fact(NATS(), bus.StateUnhealthy, why)
	f.Affects = s.everyone()
	// An election passes within a round or two, a lost connection is lost.
	f.Certain = !s.Broker.Connected
	return []Finding{f}
}
