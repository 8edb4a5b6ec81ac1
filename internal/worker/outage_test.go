package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// execute runs a worker without its HTTP server, so that time can be virtual, until
// the test ends.
func (s *system) execute(t *testing.T, name string) *Server {
	t.Helper()
	w, err := New(Options{Config: s.cfg, Bus: s.connect(t), Name: name, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_ = w.listener.Close()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.execute(ctx); err != nil {
			t.Errorf("execute: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel(errors.New("terminated"))
		wg.Wait()
	})
	return w
}

func (s *Server) breaker(t *testing.T, name string) *resilience.Breaker {
	t.Helper()
	b, ok := s.guards.breakers.Get(name)
	if !ok {
		t.Fatalf("breaker %s: not there", name)
	}
	return b
}

// The provider is away for ten minutes. What it costs are the calls that find out and
// one probe a minute; every request waits in its queue and is answered in the end.
func TestAnOutageCostsNoAttemptsButProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, `
policies: {p: {breaker: {failure_threshold: 5, recovery_timeout: 60s}}}
providers: {echo: {kind: echo, policy: p}}
agents: {a: {slots: 5, delivery: {max_attempts: 20}, ladder: [{rung: primary, provider: echo}]}}
`)
		w := s.execute(t, "w1")
		const outage = 10 * time.Minute
		if err := w.guards.chaos.Add(resilience.Scenario{Kind: resilience.ServiceFailure, ExpiresAfter: outage}); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for range 30 {
			ids = append(ids, s.ask(t, "a", bus.Request{}))
		}
		await(t, "the breaker to open", func() bool { return w.breaker(t, "echo").State() == resilience.StateOpen })
		time.Sleep(outage - 10*time.Second)
		calls := w.guards.chaos.List()[0].Occurred
		if calls < 5+5 || calls > 5+10 {
			t.Errorf("calls while the provider was away: got %d, want 5 and a probe a minute", calls)
		}
		for range 30 {
			ids = append(ids, s.ask(t, "a", bus.Request{}))
		}
		time.Sleep(3 * time.Minute)
		attempts, deliveries := 0, 0
		for _, id := range ids {
			r := s.answerTo(t, "a", id)
			if !r.Success || r.Meta.Degraded {
				t.Errorf("request %s: got %+v, want an answer", id, r.Result)
			}
			attempts, deliveries = attempts+r.Meta.RetryCount, deliveries+int(r.Meta.Deliveries)
		}
		if attempts != calls {
			t.Errorf("failed attempts: got %d, want the %d calls", attempts, calls)
		}
		if wasted := deliveries - len(ids) - calls; wasted > 5 {
			t.Errorf("deliveries that were no attempts: got %d, want at most those in the slots when it opened", wasted)
		}
		if got := w.breaker(t, "echo").State(); got != resilience.StateClosed {
			t.Errorf("breaker: got %s, want closed", got)
		}
	})
}
