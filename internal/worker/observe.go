package worker

import (
	"log/slog"

	"genesis/pkg/resilience"
)

// policyLog tells operators when a provider is given up and taken back, and at the
// level debug what policies decide about single calls.
func policyLog(log *slog.Logger) resilience.Observer {
	return func(e resilience.Event) {
		switch e.Kind {
		case resilience.EventTrip:
			log.Warn("a breaker opened: its provider is not called",
				"service", e.Name, "from", e.From, "reason", e.Reason, "probe_in", e.Delay.String(), "error", e.Err)
		case resilience.EventClose:
			log.Warn("a breaker closed: its provider is called again", "service", e.Name, "from", e.From, "reason", e.Reason)
		case resilience.EventRetry, resilience.EventRetrySuppressed, resilience.EventChaos, resilience.EventStateChanged,
			resilience.EventProbe, resilience.EventLimitChanged:
			log.Debug("a policy decided", "policy", e.Policy, "service", e.Name, "decision", string(e.Kind),
				"attempt", e.Attempt, "delay", e.Delay.String(), "reason", e.Reason, "error", e.Err)
		default: // seen in what became of the request
		}
	}
}

// wakePools makes the agents that use a provider look for room when its breaker has
// changed: they fetch nothing while it is shut, and begin again when it lets one through.
func (s *Server) wakePools(e resilience.Event) {
	switch e.Kind {
	case resilience.EventTrip, resilience.EventClose, resilience.EventStateChanged:
		for _, pool := range s.users[e.Name] {
			pool.Wake()
		}
	default: // leaves the room as it is
	}
}
