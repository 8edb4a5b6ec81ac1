package monitor

import (
	"net/http"
	"time"

	"genesis/internal/health"
	"genesis/internal/program"
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
	program.WriteJSON(w, code, struct {
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
	NATS      natsHealth              `json:"nats"`
	Breakers  []BreakerView           `json:"circuit_breakers"`
	Resources telemetry.ResourceUsage `json:"resource_usage"`
	Ledger    *ledgerHealth           `json:"ledger"` // of the leader; null: no verification yet
	Streams   map[string]streamHealth `json:"streams"`
}

type ledgerHealth struct {
	At      time.Time         `json:"at"`
	Checked uint64            `json:"checked"`           // requests accounted for
	Missing uint64            `json:"missing"`           // and those that are not
	Agents  map[string]uint64 `json:"agents"`            // that have some missing
	Problem string            `json:"problem,omitempty"` // why the last verification could not be made
}

type streamHealth struct {
	Missing  bool     `json:"missing"`
	Messages uint64   `json:"messages"`
	Bytes    uint64   `json:"bytes"`
	Used     float64  `json:"used_ratio"` // by its tightest limit
	Leader   string   `json:"leader,omitempty"`
	Replicas int      `json:"replicas"`
	Offline  []string `json:"offline,omitempty"`
	Problem  string   `json:"problem,omitempty"`
}

func streamsHealth(all map[string]health.Stream) map[string]streamHealth {
	out := make(map[string]streamHealth, len(all))
	for name, s := range all {
		out[name] = streamHealth{s.Missing, s.Messages, s.Bytes, s.Full(), s.Leader, s.Replicas, s.Offline, s.Problem}
	}
	return out
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
			Breakers: s.breakersView(), Resources: s.resources.Usage(),
		},
	}
	if l := s.verifier.ledger(); l != nil {
		d.Infrastructure.Ledger = &ledgerHealth{l.At, l.Checked, l.Missing, l.Agents, l.Problem}
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
	d.Infrastructure.Streams = streamsHealth(s.snapshot.Streams)
	d.Infrastructure.NATS.Problem = s.snapshot.Broker.Problem
	s.mu.Unlock()
	program.WriteJSON(w, http.StatusOK, d)
}
