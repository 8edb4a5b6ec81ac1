package worker

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime"
	"time"

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
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /health/ready", s.ready)
	mux.Handle("GET /health/detailed", operatorsOnly(s.o.OperatorToken, http.HandlerFunc(s.detailed)))
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
	writeJSON(w, code, struct {
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

type component struct {
	Healthy    bool `json:"healthy"`
	Slots      int  `json:"slots"`
	SlotsInUse int  `json:"slots_in_use"`
}

type infrastructure struct {
	NATS      natsHealth                `json:"nats"`
	Breakers  []resilience.BreakerStats `json:"circuit_breakers"`
	Resources resources                 `json:"resource_usage"`
}

type natsHealth struct {
	Healthy    bool   `json:"healthy"`
	URL        string `json:"url"`
	Server     string `json:"server"`
	Reconnects uint64 `json:"reconnects"`
}

type resources struct {
	Goroutines int    `json:"goroutines"`
	HeapBytes  uint64 `json:"heap_bytes"`
	CPUs       int    `json:"cpus"`
}

func (s *Server) detailed(w http.ResponseWriter, _ *http.Request) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	nc, c := s.o.Bus.Conn(), s.checks()
	h := health{
		Timestamp: time.Now().UTC(), Version: s.o.Version, Uptime: time.Since(s.started).Seconds(),
		Worker: s.o.Name, Ready: c.ready(), Draining: s.draining.Load(),
		Components: make(map[string]component, len(s.pools)),
		Infrastructure: infrastructure{
			NATS:      natsHealth{c.NATS, nc.ConnectedUrlRedacted(), nc.ConnectedServerName(), nc.Stats().Reconnects},
			Breakers:  s.guards.breakers.Stats(),
			Resources: resources{runtime.NumGoroutine(), memory.HeapAlloc, runtime.GOMAXPROCS(0)},
		},
	}
	for name, pool := range s.pools {
		stats := pool.Stats()
		h.Components[name] = component{c.ready(), stats.Slots, stats.InUse}
	}
	writeJSON(w, http.StatusOK, h)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // whoever hung up knows
}
