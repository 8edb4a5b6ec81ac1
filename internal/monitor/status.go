package monitor

import (
	"net/http"
	"time"

	"genesis/internal/health"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// A Status is the body of /status, as that of the gateway.
type Status struct {
	Status            string     `json:"status"` // healthy or degraded
	Message           string     `json:"message"`
	AffectedServices  []string   `json:"affected_services"`
	EstimatedRecovery *time.Time `json:"estimated_recovery"`
}

func (s *Server) status() Status {
	o := s.overview()
	return Status{o.Status, o.Message, o.AffectedServices, o.EstimatedRecovery}
}

// checks say whether this monitor does its work. They look at the monitor only: one
// without the broker still tells what it knows.
type checks struct {
	NATS   bool `json:"nats"`   // connected
	Rounds bool `json:"rounds"` // the last round is not older than it should be
}

func (s *Server) checks() checks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return checks{NATS: s.bus.Connected(), Rounds: !s.stale()}
}

// stale tells whether the last round is too long ago. s.mu is held.
func (s *Server) stale() bool {
	return time.Since(s.looked) > 3*s.interval()+lookPatience
}

// ready is /health/ready: 200 while it makes its rounds, also without the broker, whose
// absence is what it is there to tell of.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	c := s.checks()
	ready, code := c.Rounds && !s.draining.Load(), http.StatusOK
	if !ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, struct {
		Ready  bool   `json:"ready"`
		Checks checks `json:"checks"`
	}{ready, c})
}

// detail is the body of /health/detailed.
type detail struct {
	Timestamp      time.Time              `json:"timestamp"`
	Version        string                 `json:"version"`
	Uptime         float64                `json:"uptime"` // in seconds
	Monitor        string                 `json:"monitor"`
	Leading        bool                   `json:"leading"`
	Leader         string                 `json:"leader"` // empty: nobody leads
	Ready          bool                   `json:"ready"`
	LastRound      *time.Time             `json:"last_round"`
	Components     map[string]agentHealth `json:"components"` // by agent
	Infrastructure infrastructure         `json:"infrastructure"`
}

type agentHealth struct {
	Healthy bool            `json:"healthy"`
	State   bus.HealthState `json:"state"`
	Reason  string          `json:"reason,omitempty"`
	Lag     uint64          `json:"lag"`
	Workers int             `json:"workers"`
}

type infrastructure struct {
	NATS      natsHealth               `json:"nats"`
	Breakers  []BreakerView            `json:"circuit_breakers"`
	Resources telemetry.ResourceUsage  `json:"resource_usage"`
	Ledger    *health.Ledger           `json:"ledger"` // of the leader; null: no verification yet
	Streams   map[string]health.Stream `json:"streams"`
}

type natsHealth struct {
	telemetry.NATSHealth
	Problem string `json:"problem,omitempty"` // why it cannot be used though connected
}

func (s *Server) detailed(w http.ResponseWriter, _ *http.Request) {
	c := s.checks()
	report, _ := s.lag("", 0) // without one nats says why
	d := detail{
		Timestamp: time.Now().UTC(), Version: s.version, Uptime: time.Since(s.started).Seconds(), Monitor: s.name,
		Leading: s.leading.Load(), Ready: c.Rounds && !s.draining.Load(), Components: map[string]agentHealth{},
		Infrastructure: infrastructure{
			NATS:     natsHealth{NATSHealth: s.link.Health()},
			Breakers: s.breakersView(), Resources: s.resources.Usage(), Ledger: s.verifier.ledger(),
		},
	}
	for _, a := range report.Agents {
		d.Components[a.Agent] = agentHealth{a.State == bus.StateHealthy, a.State, a.Reason, a.Lag, a.Workers}
	}
	s.mu.Lock()
	d.Leader = s.leader.Holder
	if !s.looked.IsZero() {
		at := s.looked.UTC()
		d.LastRound = &at
	}
	d.Infrastructure.Streams = s.snapshot.Streams
	d.Infrastructure.NATS.Problem = s.snapshot.Broker.Problem
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, d)
}
