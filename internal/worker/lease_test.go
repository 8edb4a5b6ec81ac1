package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// leases are those of the workers that are there now.
func (s *system) leases(t *testing.T) []bus.WorkerLease {
	t.Helper()
	leases, err := s.Workers(t.Context())
	if err != nil {
		t.Fatalf("workers: %v", err)
	}
	return leases
}

// awaitLease waits until exactly one worker is there, whose lease is as it should be.
func (s *system) awaitLease(t *testing.T, what string, is func(bus.WorkerLease) bool) bus.WorkerLease {
	t.Helper()
	var leases []bus.WorkerLease
	await(t, what, func() bool { leases = s.leases(t); return len(leases) == 1 && is(leases[0]) })
	return leases[0]
}

func TestAWorkerIsKnownUntilItsDrainHasEnded(t *testing.T) {
	s := newSystem(t, "agents: {echo: {slots: 3, ladder: [{rung: primary, provider: echo}]}}\n")
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	w := s.start(t, func(o *Options) {
		o.Registry = echoing(t, agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
			<-released
			return agents.Text("done"), nil
		}))
	})
	s.ask(t, "echo", bus.Request{})
	l := s.awaitLease(t, "a slot in use", func(l bus.WorkerLease) bool { return l.Agents["echo"].InUse == 1 })
	if l.Name != "w1" || l.Version != "1.2.3" || l.Draining || time.Since(l.Started) > time.Minute || len(l.Agents) != 1 || l.Agents["echo"].Slots != 3 {
		t.Errorf("got %+v, want w1 with 3 slots for echo", l)
	}
	done := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer release()
	wg.Go(func() { done <- w.stop() })
	l = s.awaitLease(t, "the drain", func(l bus.WorkerLease) bool { return l.Draining })
	if l.Agents["echo"].InUse != 1 {
		t.Errorf("draining: got %+v, want the slot in use", l)
	}
	release()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if left := s.leases(t); len(left) != 0 {
		t.Errorf("after its end: got %+v, want nobody: it said farewell", left)
	}
}

// A killed worker says no farewell: whoever cuts its connection does as kill -9 would.
func TestAWorkerThatDiedIsGoneWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, "worker: {agents: [echo]}\n")
		b := s.connect(t)
		w, err := New(Options{Config: s.cfg, Bus: b, Name: "w1", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		_ = w.listener.Close()
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
		var wg sync.WaitGroup
		wg.Go(func() { _ = w.execute(ctx) })
		defer wg.Wait()
		defer cancel(errors.New("terminated"))
		time.Sleep(time.Minute)
		if here := s.leases(t); len(here) != 1 || here[0].Name != "w1" {
			t.Fatalf("after a minute: got %+v, want w1", here)
		}
		b.Conn().Close()
		time.Sleep(5 * time.Second)
		if here := s.leases(t); len(here) != 0 {
			t.Errorf("five seconds after its death: got %+v, want nobody", here)
		}
	})
}

func TestAWorkerIsKnownAgainAfterAnOutageOfTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, "worker: {agents: [echo]}\n")
		s.execute(t, "w1")
		time.Sleep(2 * time.Second)
		s.server.Down(t)
		time.Sleep(time.Minute)
		s.server.Restart(t)
		time.Sleep(10 * time.Second)
		if here := s.leases(t); len(here) != 1 || here[0].Name != "w1" {
			t.Errorf("ten seconds after the return of the broker: got %+v, want w1", here)
		}
	})
}

func TestALeaseTellsWhyABreakerIsOpen(t *testing.T) {
	s := newSystem(t, `
policies: {p: {breaker: {failure_threshold: 2}}}
providers: {llm: {kind: simulated, policy: p}, spare: {kind: echo, policy: p}}
agents: {a: {`+fast+`, ladder: [{rung: primary, provider: llm}, {rung: fallback, provider: spare}]}}
worker: {agents: [a]}
`)
	w := s.start(t, nil)
	s.awaitLease(t, "closed breakers", func(l bus.WorkerLease) bool {
		return len(l.Breakers) == 2 && l.Breakers[0] == bus.BreakerLoad{Name: "llm", State: "closed"} && l.Breakers[1].Name == "spare"
	})
	for range 2 {
		_ = w.breaker(t, "llm").Do(t.Context(), func(context.Context) error { return errors.New("no\nroute") })
	}
	l := s.awaitLease(t, "the open breaker", func(l bus.WorkerLease) bool { return l.Breakers[0].State == resilience.StateOpen })
	if want := (bus.BreakerLoad{Name: "llm", State: "open", Reason: "consecutive failures: no route"}); l.Breakers[0] != want {
		t.Errorf("got %+v, want %+v", l.Breakers[0], want)
	}
	w.breaker(t, "llm").Isolate()
	l = s.awaitLease(t, "the isolation", func(l bus.WorkerLease) bool { return l.Breakers[0].Isolated })
	if b := l.Breakers[0]; b.State != "open" || b.Reason != "isolated" {
		t.Errorf("isolated: got %+v", b)
	}
	w.breaker(t, "llm").Release()
	s.awaitLease(t, "the release", func(l bus.WorkerLease) bool {
		return l.Breakers[0] == bus.BreakerLoad{Name: "llm", State: "closed"}
	})
}
