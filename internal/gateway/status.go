package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"genesis/pkg/bus"
)

// A Status is the body of /status: what clients should know.
type Status struct {
	Status            string     `json:"status" enum:"healthy,degraded" doc:"healthy or degraded; degraded, too, when nobody can tell"`
	Message           string     `json:"message" doc:"What that means for clients"`
	AffectedServices  []string   `json:"affected_services" nullable:"false" doc:"nats, gateway, monitor, or names of agents"`
	EstimatedRecovery *time.Time `json:"estimated_recovery" nullable:"true" doc:"When it should be over; null when nobody knows"`
}

type statusOutput struct{ Body Status }

// maxNamed is how many agents a message names.
const maxNamed = 5

// status is GET /status. This gateway sees the bus, the queues and the workers itself;
// how the agents fare is what the monitor says. Without one nobody knows, and it says so.
func (s *Server) status(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	degraded := func(message string, affected string) (*statusOutput, error) {
		return &statusOutput{Status{Status: statusDegraded, Message: message, AffectedServices: []string{affected}}}, nil
	}
	if s.draining.Load() {
		return degraded("This gateway is shutting down: call another one.", "gateway")
	}
	if !s.bus.Connected() {
		return degraded("The message bus cannot be reached: new requests are refused with 503; those accepted are not lost.", "nats")
	}
	views, err := s.views(ctx)
	if err != nil {
		return degraded("The message bus does not answer: new requests are refused with 503; those accepted are not lost.", "nats")
	}
	return &statusOutput{s.sumUp(views)}, nil
}

const (
	statusHealthy  = string(bus.StateHealthy)
	statusDegraded = string(bus.StateDegraded)
)

// sumUp joins what the monitor says with what this gateway sees before the monitor does.
func (s *Server) sumUp(views []AgentView) Status {
	sum := Status{Status: statusHealthy, AffectedServices: []string{}}
	say := func(message string, affected ...string) {
		sum.Status = statusDegraded
		if sum.Message != "" {
			message = strings.TrimSuffix(sum.Message, ".") + ". " + message
		}
		sum.Message = message
		for _, name := range affected {
			if !slices.Contains(sum.AffectedServices, name) {
				sum.AffectedServices = append(sum.AffectedServices, name)
			}
		}
	}
	said, why := s.watch.overview()
	switch {
	case said == nil:
		say("Health is unknown: "+why+". Requests are accepted.", "monitor")
	case said.Status != statusHealthy:
		say(said.Message, said.AffectedServices...)
		sum.EstimatedRecovery = said.EstimatedRecovery
	}
	if names := sum.besides(views, func(v *AgentView) bool { return v.State == stateUnavailable }); len(names) > 0 {
		say("The queues of some agents cannot be read: "+listed(names)+".", names...)
	}
	if names := sum.besides(views, func(v *AgentView) bool { return v.Workers != nil && *v.Workers == 0 }); len(names) > 0 {
		say("No worker serves "+listed(names)+": requests are accepted, and wait.", names...)
	}
	if sum.Status == statusHealthy {
		sum.Message = said.Message
	}
	return sum
}

// besides names the agents that are so, and are not told of yet.
func (s *Status) besides(views []AgentView, so func(*AgentView) bool) []string {
	var names []string
	for i := range views {
		if v := &views[i]; so(v) && !slices.Contains(s.AffectedServices, v.Name) {
			names = append(names, v.Name)
		}
	}
	return names
}

// listed are names in a sentence, the first few of many.
func listed(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
