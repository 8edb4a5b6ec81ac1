package gateway

import (
	"context"
	"strings"
)

// A Status is the body of /status: what clients should know.
type Status struct {
	Status            string   `json:"status" enum:"healthy,degraded" doc:"healthy or degraded"`
	Message           string   `json:"message" doc:"What that means for clients"`
	AffectedServices  []string `json:"affected_services" nullable:"false" doc:"nats, gateway, or names of agents"`
	EstimatedRecovery *string  `json:"estimated_recovery" nullable:"true" doc:"When it should be over; null when nobody knows"`
}

type statusOutput struct{ Body Status }

// status is GET /status. It knows what this gateway sees: the bus and the queues. How
// the agents themselves fare is for a monitor to say, and there is none yet.
func (s *Server) status(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	degraded := func(message string, affected ...string) (*statusOutput, error) {
		return &statusOutput{Status{Status: "degraded", Message: message, AffectedServices: affected}}, nil
	}
	if s.draining.Load() {
		return degraded("This gateway is shutting down: call another one.", "gateway")
	}
	if !s.bus.Connected() {
		return degraded("The message bus cannot be reached: new requests are refused with 503; those accepted are not lost.", "nats")
	}
	views, err := s.agents.overview(ctx)
	if err != nil {
		return degraded("The message bus does not answer: new requests are refused with 503; those accepted are not lost.", "nats")
	}
	var affected []string
	for _, v := range views {
		if v.State != stateAccepting {
			affected = append(affected, v.Name)
		}
	}
	if len(affected) > 0 {
		return degraded("The queues of some agents cannot be read: "+strings.Join(affected, ", ")+".", affected...)
	}
	return &statusOutput{Status{
		Status:           "healthy",
		Message:          "Requests are accepted. Whether the agents themselves are well is not watched yet: there is no monitor.",
		AffectedServices: []string{},
	}}, nil
}
