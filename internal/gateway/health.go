package gateway

import (
	"context"
	"net/http"
	"runtime"
	"time"
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
	Timestamp      time.Time       `json:"timestamp" doc:"When it was written"`
	Version        string          `json:"version" doc:"The version of the gateway"`
	Uptime         float64         `json:"uptime_s" doc:"Seconds since its start"`
	Ready          bool            `json:"ready" doc:"As /health/ready says"`
	Checks         map[string]bool `json:"checks" doc:"As /health/ready says"`
	Components     []AgentView     `json:"components" nullable:"false" doc:"The agents, as GET /v1/agents says"`
	Infrastructure Infrastructure  `json:"infrastructure" doc:"What the gateway stands on"`
}

// Infrastructure is what a gateway stands on.
type Infrastructure struct {
	NATS       string `json:"nats" doc:"URL of the server that it is connected to; empty while it is not"`
	Waiters    int    `json:"waiters" doc:"Callers that wait for a result"`
	MaxWaiters int    `json:"max_waiters" doc:"As many may wait"`
	Keys       int    `json:"keys" doc:"API keys that are good"`
	KeysError  string `json:"keys_error,omitempty" doc:"Why the file of the API keys cannot be read; the keys read before are good"`
	Goroutines int    `json:"goroutines" doc:"Goroutines of the process"`
	HeapBytes  uint64 `json:"heap_bytes" doc:"Memory in use"`
	Error      string `json:"error,omitempty" doc:"Why the agents could not be listed"`
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
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	d := Detail{
		Timestamp: time.Now().UTC(), Version: s.version, Uptime: time.Since(s.started).Seconds(),
		Ready: ready.Body.Ready, Checks: ready.Body.Checks, Components: []AgentView{},
		Infrastructure: Infrastructure{
			NATS: s.bus.Conn().ConnectedUrlRedacted(), Waiters: s.waiters.count(), MaxWaiters: s.waiters.max,
			Goroutines: runtime.NumGoroutine(), HeapBytes: memory.HeapAlloc,
		},
	}
	if s.access.keys != nil {
		d.Infrastructure.Keys = s.access.keys.Len()
		if err := s.access.keys.Err(); err != nil {
			d.Infrastructure.KeysError = err.Error()
		}
	}
	views, err := s.agents.overview(ctx)
	if err != nil {
		d.Infrastructure.Error = err.Error()
	} else {
		d.Components = views
	}
	return &detailOutput{d}, nil
}
