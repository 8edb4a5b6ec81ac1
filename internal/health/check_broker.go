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
	f.Certain, f.Passing = !s.Broker.Connected, s.Broker.Connected
	return []Finding{f}
}
