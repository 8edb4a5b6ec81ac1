package worker

import (
	"log/slog"
	"net/http"
	"slices"
	"time"

	"genesis/internal/program"
	"genesis/internal/telemetry"
	"genesis/pkg/resilience"
)

// Limits of the HTTP server: what it answers is small and at hand.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = time.Minute
	maxHeader    = 16 << 10
)

func (s *Server) newHTTP(metrics http.Handler) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		program.WriteJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /health/ready", s.ready)
	mux.Handle("GET /health/detailed", program.OperatorsOnly("worker", s.o.OperatorToken, http.HandlerFunc(s.detailed)))
	mux.Handle("GET /metrics", metrics)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// checks say whether this worker can execute requests. They look at the worker only:
// an agent whose model is away has rungs below it and a queue that keeps its requests.
type checks struct {
	NATS  bool `json:"nats"`
	Pools bool `json:"pools"`
}

func (s *Server) checks() checks {
	return checks{
		NATS:  s.o.Bus.Connected(),
		Pools: !s.draining.Load() && int(s.running.Load()) == len(s.pools),
	}
}

func (c checks) ready() bool { return c.NATS && c.Pools }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	c := s.checks()
	code := http.StatusOK
	if !c.ready() {
		code = http.StatusServiceUnavailable
	}
	program.WriteJSON(w, code, struct {
		Ready  bool   `json:"ready"`
		Checks checks `json:"checks"`
	}{c.ready(), c})
}

// health is the body of /health/detailed.
type health struct {
	Timestamp time.Time `json:"timestamp"`
	Version   string    `json:"version"`
	// Uptime is in seconds.
	Uptime         float64              `json:"uptime"`
	Worker         string               `json:"worker"`
	Ready          bool                 `json:"ready"`
	Draining       bool                 `json:"draining"`
	Components     map[string]component `json:"components"` // by agent
	Infrastructure infrastructure       `json:"infrastructure"`
}

// component is how this worker serves one agent.
type component struct {
	// Healthy says that it can execute requests: the worker is ready, and not every way
	// to answer is shut by a breaker.
	Healthy    bool `json:"healthy"`
	Slots      int  `json:"slots"`
	SlotsInUse int  `json:"slots_in_use"`
	// Requests ended within the last minute, Errors of them in a failure; ErrorRate is
	// their share, 0 without requests.
	Requests  uint64  `json:"requests"`
	Errors    uint64  `json:"errors"`
	ErrorRate float64 `json:"error_rate"`
	// OpenBreakers are those of its providers that are not called, in the order of the ladder.
	OpenBreakers []string `json:"open_breakers"`
}

type infrastructure struct {
	NATS      telemetry.NATSHealth      `json:"nats"`
	Breakers  []resilience.BreakerStats `json:"circuit_breakers"`
	Resources telemetry.ResourceUsage   `json:"resource_usage"`
}

func (s *Server) detailed(w http.ResponseWriter, _ *http.Request) {
	c := s.checks()
	h := health{
		Timestamp: time.Now().UTC(), Version: s.o.Version, Uptime: time.Since(s.started).Seconds(),
		Worker: s.o.Name, Ready: c.ready(), Draining: s.draining.Load(),
		Components: make(map[string]component, len(s.pools)),
		Infrastructure: infrastructure{
			NATS:      s.link.Health(),
			Breakers:  append([]resilience.BreakerStats{}, s.guards.breakers.Stats()...), // never null
			Resources: s.resources.Usage(),
		},
	}
	for name, pool := range s.pools {
		stats := pool.Stats()
		v := component{Slots: stats.Slots, SlotsInUse: stats.InUse}
		if v.Requests, v.Errors = s.counters.Ended(name); v.Requests > 0 {
			v.ErrorRate = float64(v.Errors) / float64(v.Requests)
		}
		shut := false
		v.OpenBreakers, shut = s.openBreakers(name)
		v.Healthy = c.ready() && !shut
		h.Components[name] = v
	}
	program.WriteJSON(w, http.StatusOK, h)
}

// openBreakers names the open breakers of the providers that an agent calls, and tells
// whether they shut every rung of its ladder.
func (s *Server) openBreakers(agent string) (open []string, all bool) {
	open = []string{}
	if !s.own {
		return open, false // who knows what it calls
	}
	ladder := s.o.Config.Agents[agent].Ladder
	all = len(ladder) > 0
	for _, rung := range ladder {
		b, guarded := s.guards.breakers.Get(rung.Provider)
		switch {
		case !guarded || b.State() != resilience.StateOpen:
			all = false
		case !slices.Contains(open, rung.Provider):
			open = append(open, rung.Provider)
		}
	}
	return open, all
}
