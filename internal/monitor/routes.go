package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"genesis/internal/program"
	"genesis/pkg/bus"
)

// httpPatience is how long the last answers may take.
const httpPatience = 5 * time.Second

func (s *Server) newHTTP() *http.Server {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]http.HandlerFunc{
		"GET /v1/lag":          s.getLag,
		"GET /v1/workers":      func(w http.ResponseWriter, _ *http.Request) { program.WriteJSON(w, http.StatusOK, s.workersView()) },
		"GET /v1/breakers":     s.ifKnown(func() any { return s.breakersView() }),
		"GET /v1/dead-letters": s.ifKnown(func() any { return s.tally.largest(maxGroups) }),
		"GET /v1/components":   func(w http.ResponseWriter, _ *http.Request) { program.WriteJSON(w, http.StatusOK, s.components()) },
		"GET /v1/events":       s.getEvents,
		"GET /status":          func(w http.ResponseWriter, _ *http.Request) { program.WriteJSON(w, http.StatusOK, s.status()) },
		"GET /health/live": func(w http.ResponseWriter, _ *http.Request) {
			program.WriteJSON(w, http.StatusOK, map[string]string{"status": "alive"})
		},
		"GET /health/ready": s.ready,
	} {
		mux.HandleFunc(pattern, answer)
	}
	mux.Handle("GET /health/detailed", program.OperatorsOnly("monitor", s.token, http.HandlerFunc(s.detailed)))
	mux.Handle("GET /metrics", s.metrics.registry.Handler())
	mux.HandleFunc("GET /v1/", func(w http.ResponseWriter, r *http.Request) {
		program.WriteProblem(w, http.StatusNotFound, fmt.Sprintf("there is no %.100q: see docs/OPERATIONS.md for what a monitor tells", r.URL.Path))
	})
	mux.Handle("GET /", s.console.Handler())
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout, // a stream of events moves its own
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// ifKnown answers with a view, or with 503 while nobody knows.
func (s *Server) ifKnown(view func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := s.blind(); err != nil {
			program.WriteProblem(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		program.WriteJSON(w, http.StatusOK, view())
	}
}

// stopHTTP ends the streams, and lets the other answers under way finish.
func (s *Server) stopHTTP(ctx context.Context, server *http.Server) error {
	s.draining.Store(true)
	s.feed.end()
	s.console.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpPatience)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}

// getLag is GET /v1/lag. The query agent=NAME selects one, history=N adds rounds.
func (s *Server) getLag(w http.ResponseWriter, r *http.Request) {
	agent := r.URL.Query().Get("agent")
	if agent != "" {
		if err := bus.ValidAgent(agent); err != nil {
			program.WriteProblem(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	rounds, err := number(r, "history", 0)
	if err != nil {
		program.WriteProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	report, err := s.lag(agent, rounds)
	switch {
	case err != nil:
		w.Header().Set("Retry-After", "5")
		program.WriteProblem(w, http.StatusServiceUnavailable, err.Error())
	case agent != "" && len(report.Agents) == 0:
		program.WriteProblem(w, http.StatusNotFound, "there is no agent "+strconv.Quote(agent)+": GET /v1/lag lists them")
	default:
		program.WriteJSON(w, http.StatusOK, report)
	}
}

// getEvents is GET /v1/events: server-sent events or, for those who accept JSON, a list
// of the last ones, the newest first; limit=N says how many.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	if !wantsList(r) {
		s.streamEvents(w, r)
		return
	}
	limit, err := number(r, "limit", 50)
	if err != nil {
		program.WriteProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	events := make([]bus.HealthEvent, 0, limit)
	for _, e := range s.feed.last(limit) {
		events = append(events, e.HealthEvent)
	}
	program.WriteJSON(w, http.StatusOK, events)
}

// number reads a number of the query, 0 to 1000.
func number(r *http.Request, name string, without int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxKept {
		return 0, errors.New(name + " is " + strconv.Quote(text[:min(len(text), 40)]) + ": use a number from 0 to " + strconv.Itoa(maxKept))
	}
	return n, nil
}
