package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// call lets a replica execute a task n times.
func (s *Server) call(t *testing.T, n int) (failed int) {
	t.Helper()
	a, _ := s.registry.Get("a")
	for range n {
		if _, err := a.Handle(t.Context(), agents.Task{Prompt: "hi", Attempt: 1}); err != nil {
			failed++
		}
	}
	return failed
}

func TestReplicasOpenTheirBreakersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, `
policies: {p: {breaker: {failure_threshold: 5, recovery_timeout: 10m}}}
providers: {echo: {kind: echo, policy: p}}
agents: {a: {ladder: [{rung: primary, provider: echo}]}}
`)
		replicas := []*Server{s.execute(t, "w1"), s.execute(t, "w2"), s.execute(t, "w3")}
		states := func() (got []string) {
			for _, w := range replicas {
				got = append(got, w.breaker(t, "echo").State())
			}
			return got
		}
		sicken := func(w *Server) {
			if err := w.guards.chaos.Disable("echo"); err != nil {
				t.Fatal(err)
			}
			if failed := w.call(t, 5); failed != 5 {
				t.Fatalf("calls of a provider that is away: got %d of 5 failed", failed)
			}
		}
		time.Sleep(3 * time.Second)
		for _, w := range replicas {
			if failed := w.call(t, 3); failed != 0 {
				t.Fatalf("calls of a healthy provider: got %d of 3 failed", failed)
			}
		}
		sicken(replicas[0])
		time.Sleep(10 * time.Second)
		if got := states(); got[0] != resilience.StateOpen || got[1] != resilience.StateClosed || got[2] != resilience.StateClosed {
			t.Errorf("one sick replica of three: got %q, want only its own breaker open", got)
		}
		sicken(replicas[1])
		time.Sleep(2 * time.Second)
		if got := states(); got[2] != resilience.StateOpen {
			t.Errorf("2 s after a majority opened: got %q, want all open", got)
		}
	})
}

// A hundred requests at ten a second take the replicas ten seconds together, and not five.
func TestReplicasKeepASharedLimitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, `
policies: {p: {rate_limit: {per_second: 10, shared: true, max_wait: 2s}}}
providers: {echo: {kind: echo, policy: p}}
agents: {a: {slots: 10, ladder: [{rung: primary, provider: echo}]}}
`)
		s.execute(t, "w1")
		s.execute(t, "w2")
		time.Sleep(5 * time.Second)
		start := time.Now()
		var ids []string
		for range 110 {
			ids = append(ids, s.ask(t, "a", bus.Request{}))
		}
		for _, id := range ids {
			if r := s.answerTo(t, "a", id); !r.Success || r.Meta.RetryCount != 0 {
				t.Errorf("got %+v %+v, want an answer without a failed attempt", r.Result, r.Meta)
			}
		}
		if took := time.Since(start); took < 9500*time.Millisecond || took > 15*time.Second {
			t.Errorf("110 requests with a burst of 10, at 10 a second: took %v, want about 10 s", took)
		}
	})
}
