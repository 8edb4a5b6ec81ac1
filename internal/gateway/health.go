package gateway

import (
	"context"
	"net/http"
	"time"

	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// A Readiness is the body of /health/ready.
type Readiness struct {
	Ready  bool            `json:"ready" doc:"Whether requests can be accepted and answered here"`
	Checks map[string]bool `json:"checks" doc:"nats: connected; jetstream: the queues can be read; accepting: the gateway is not shutting down"`
}

type readyOutput struct {
	Status int
	Body   Readiness
}

// ready is GET /health/ready.
func (s *Server) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	checks := s.checks(ctx)
	out := &readyOutput{Status: http.StatusOK, Body: Readiness{Ready: true, Checks: checks}}
	for _, ok := range checks {
		if !ok {
			out.Status, out.Body.Ready = http.StatusServiceUnavailable, false
		}
	}
	return out, nil
}

func (s *Server) checks(ctx context.Context) map[string]bool {
	connected := s.bus.Connected()
	return map[string]bool{
		"nats":      connected,
		"jetstream": connected && s.agents.reachable(ctx),
		"accepting": !s.draining.Load(),
	}
}

// A Liveness is the body of /health/live.
type Liveness struct {
	Status string `json:"status" enum:"alive" doc:"alive"`
}

type liveOutput struct{ Body Liveness }

// live is GET /health/live: it depends on nothing outside the process.
func (s *Server) live(context.Context, *struct{}) (*liveOutput, error) {
	return &liveOutput{Liveness{"alive"}}, nil
}

// A Detail is the body of /health/detailed.
type Detail struct {
	Timestamp      time.Time              `json:"timestamp" doc:"When it was written"`
	Version        string                 `json:"version" doc:"The version of the gateway"`
	Uptime         float64                `json:"uptime" doc:"Seconds since its start"`
	Ready          bool                   `json:"ready" doc:"As /health/ready says"`
	Checks         map[string]bool        `json:"checks" doc:"As /health/ready says"`
	Components     map[string]AgentHealth `json:"components" nullable:"false" doc:"The agents, by name"`
	Infrastructure Infrastructure         `json:"infrastructure" doc:"What the gateway stands on"`
}

// AgentHealth is how an agent is.
type AgentHealth struct {
	Healthy bool `json:"healthy" doc:"Whether its state is healthy"`
	AgentView
}

// Infrastructure is what a gateway stands on.
type Infrastructure struct {
	NATS       telemetry.NATSHealth    `json:"nats" doc:"The message bus"`
	Monitor    MonitorHealth           `json:"monitor" doc:"The monitor that leads"`
	Breakers   []BreakerView           `json:"circuit_breakers" nullable:"true" doc:"The breakers of the workers, by provider; null when they are not known"`
	Resources  telemetry.ResourceUsage `json:"resource_usage" doc:"What the gateway uses"`
	Waiters    int                     `json:"waiters" doc:"Callers that wait for a result"`
	MaxWaiters int                     `json:"max_waiters" doc:"As many may wait"`
	Keys       int                     `json:"keys" doc:"API keys that are good"`
	KeysError  string                  `json:"keys_error,omitempty" doc:"Why the file of the API keys cannot be read; the keys read before are good"`
	Error      string                  `json:"error,omitempty" doc:"Why the agents could not be listed"`
}

// MonitorHealth is whether anybody watches the system.
type MonitorHealth struct {
	Healthy bool       `json:"healthy" doc:"Whether it tells how the system is"`
	Holder  string     `json:"holder,omitempty" doc:"The monitor that leads"`
	Since   *time.Time `json:"since,omitempty" doc:"Since when it leads"`
	Round   *time.Time `json:"round,omitempty" doc:"When it looked last"`
	Error   string     `json:"error,omitempty" doc:"Why nobody can tell"`
}

type detailInput struct{ exchange }

type detailOutput struct{ Body Detail }

// detailed is GET /health/detailed.
func (s *Server) detailed(ctx context.Context, in *detailInput) (*detailOutput, error) {
	if err := s.access.operate(in.w, in.r); err != nil {
		return nil, err
	}
	ready, err := s.ready(ctx, nil)
	if err != nil {
		return nil, err
	}
	d := Detail{
		Timestamp: time.Now().UTC(), Version: s.version, Uptime: time.Since(s.started).Seconds(),
		Ready: ready.Body.Ready, Checks: ready.Body.Checks, Components: make(map[string]AgentHealth),
		Infrastructure: s.infrastructure(),
	}
	views, err := s.views(ctx)
	if err != nil {
		d.Infrastructure.Error = err.Error()
	}
	for _, v := range views {
		d.Components[v.Name] = AgentHealth{v.State == string(bus.StateHealthy), v}
	}
	return &detailOutput{d}, nil
}

func (s *Server) infrastructure() Infrastructure {
	i := Infrastructure{
		NATS: s.link.Health(), Monitor: s.watch.monitor(), Resources: s.resources.Usage(),
		Waiters: s.waiters.count(), MaxWaiters: s.waiters.max,
	}
	if breakers, known := s.watch.breakers(); known {
		i.Breakers = breakers
	}
	if s.access.keys != nil {
		i.Keys = s.access.keys.Len()
		if err := s.access.keys.Err(); err != nil {
			i.KeysError = err.Error()
		}
	}
	return i
}

// monitor is whether anybody watches the system, and who.
func (w *watch) monitor() MonitorHealth {
	said, why := w.overview()
	m := MonitorHealth{Healthy: said != nil, Error: why}
	if said != nil {
		m.Round = &said.Round
	}
	if l := w.lead(); l.Holder != "" {
		m.Holder, m.Since = l.Holder, &l.Since
	}
	return m
}
