package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// drill makes the workers inject a scenario, and waits until one does.
func (s *system) drill(t *testing.T, w *replica, scenario bus.ChaosScenario) {
	t.Helper()
	scenario, err := s.AddChaos(t.Context(), scenario)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the drill to begin", func() bool {
		for _, at := range w.guards.chaos.List() {
			if at.Name == scenario.Name {
				return true
			}
		}
		return false
	})
}

// The guide's test_circuit_breaker_opens_on_failures.
func TestABreakerOpensOnFailures(t *testing.T) {
	s := newSystem(t, `
policies: {p: {breaker: {}}}
providers: {llm: {kind: simulated, policy: p}}
agents: {a: {`+fast+`, ladder: [{rung: primary, provider: llm}]}}
`)
	w := s.start(t, nil)
	s.drill(t, w, bus.ChaosScenario{Kind: resilience.ServiceFailure, AffectedServices: []string{"llm"}})
	for range 10 {
		s.ask(t, "a", bus.Request{})
	}
	await(t, "the breaker to open", func() bool { return w.breaker(t, "llm").State() == resilience.StateOpen })
	await(t, "the metric", func() bool {
		_, body, _ := get(t, w.URL()+"/metrics")
		return strings.Contains(body, `genesis_circuit_breaker_state{service="llm"} 1`)
	})
	if _, body, _ := get(t, w.URL()+"/health/detailed", "Authorization: Bearer secret"); !strings.Contains(body, `"circuit_breakers":[{"name":"llm","state":"open"`) {
		t.Errorf("health: got %s, want the open breaker", body)
	}
	if log := w.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "a breaker opened") {
		t.Errorf("log: got %s, want a warning", log)
	}
	if got := w.breaker(t, "llm").Stats().FailureCount; got < 5 || got > 10 {
		t.Errorf("failures: got %d, want 5 and those in the slots", got)
	}
	if err := s.RemoveChaos(t.Context(), "service_failure"); err != nil {
		t.Fatal(err)
	}
	await(t, "the drill to end", func() bool { return len(w.guards.chaos.List()) == 0 })
	w.breaker(t, "llm").Reset()
	if r := s.answerTo(t, "a", s.ask(t, "a", bus.Request{})); !r.Success {
		t.Errorf("after a reset: got %+v, want an answer", r.Result)
	}
}

// The guide's test_graceful_degradation.
func TestADisabledServiceIsAnsweredDegraded(t *testing.T) {
	s := newSystem(t, `
policies: {p: {retry: {initial_delay: 1ms}, breaker: {}}}
providers: {llm: {kind: simulated, policy: p}}
agents: {a: {ladder: [{rung: primary, provider: llm}, {rung: static, text: busy}]}}
`)
	w := s.start(t, nil)
	s.drill(t, w, bus.ChaosScenario{Kind: resilience.DisableService, AffectedServices: []string{"llm"}})
	for i := range 4 { // the breaker opens on the way, and its rung is skipped
		r := s.answerTo(t, "a", s.ask(t, "a", bus.Request{}))
		if !r.Success || !r.Meta.Degraded || r.Meta.Rung != "static" || string(r.Output) != `{"text":"busy"}` || r.Meta.Deliveries != 1 {
			t.Errorf("request %d: got %+v %+v, want a degraded answer at once", i+1, r.Result, r.Meta)
		}
	}
	if got := w.breaker(t, "llm").State(); got != resilience.StateOpen {
		t.Errorf("breaker: got %s, want open", got)
	}
}

// The guide's test_retry_recovers_from_transient_failure.
func TestARetryRecoversFromATransientFailure(t *testing.T) {
	s := newSystem(t, `
policies: {p: {retry: {initial_delay: 1ms, retry_on: [connection, timeout]}, breaker: {}}}
providers: {llm: {kind: simulated, policy: p}}
agents: {a: {ladder: [{rung: primary, provider: llm}]}}
`)
	w := s.start(t, nil)
	s.drill(t, w, bus.ChaosScenario{Kind: resilience.TransientFailure, Probability: 1, MaxOccurrences: 2})
	r := s.answerTo(t, "a", s.ask(t, "a", bus.Request{}))
	if !r.Success || r.Meta.RetryCount != 2 || r.Meta.Degraded || r.Meta.Deliveries != 1 {
		t.Errorf("got %+v %+v, want an answer after 2 retries in one delivery", r.Result, r.Meta)
	}
	await(t, "the metrics", func() bool {
		_, body, _ := get(t, w.URL()+"/metrics")
		return strings.Contains(body, `genesis_retry_attempts_total{operation="llm"} 2`) &&
			strings.Contains(body, `genesis_chaos_faults_total{service="llm"} 2`)
	})
}

// Failures that outlive the retries of one execution are counted over all of them.
func TestRetriesOfAllDeliveriesAreCounted(t *testing.T) {
	s := newSystem(t, `
policies: {p: {retry: {initial_delay: 1ms, max_attempts: 2}}}
providers: {llm: {kind: simulated, policy: p}}
agents: {a: {delivery: {initial_delay: 1ms}, ladder: [{rung: primary, provider: llm}]}}
`)
	w := s.start(t, nil)
	s.drill(t, w, bus.ChaosScenario{Kind: resilience.TransientFailure, MaxOccurrences: 3})
	r := s.answerTo(t, "a", s.ask(t, "a", bus.Request{}))
	if !r.Success || r.Meta.Deliveries != 2 {
		t.Errorf("got %+v %+v, want an answer by the second delivery", r.Result, r.Meta)
	}
}

func TestOperatorsCommandTheBreakersOfEveryReplica(t *testing.T) {
	s := newSystem(t, `
policies: {p: {breaker: {}}}
providers: {llm: {kind: simulated, policy: p}}
agents: {a: {ladder: [{rung: primary, provider: llm}]}}
`)
	one, two := s.start(t, nil), s.start(t, func(o *Options) { o.Name = "w2" })
	await(t, "two replicas", func() bool {
		replies, err := s.Ask(t.Context(), bus.ComponentWorker, bus.CommandBreakers, nil, time.Second)
		return err == nil && len(replies) == 2
	})
	command := bus.BreakerCommand{Name: "llm", Operator: "ann", Reason: "maintenance"}
	if _, err := s.Ask(t.Context(), bus.ComponentWorker, bus.CommandBreakerIsolate, command, time.Second); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*replica{one, two} {
		if got := w.breaker(t, "llm").State(); got != resilience.StateOpen {
			t.Errorf("isolated: got %s, want open", got)
		}
	}
	id := s.ask(t, "a", bus.Request{})
	if _, err := s.Result(t.Context(), "a", id); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("while isolated: got %v, want the request to wait", err)
	}
	if _, err := s.Ask(t.Context(), bus.ComponentWorker, bus.CommandBreakerRelease, command, time.Second); err != nil {
		t.Fatal(err)
	}
	if r := s.answerTo(t, "a", id); !r.Success || r.Meta.Deliveries != 1 {
		t.Errorf("released: got %+v %+v, want an answer by the first delivery", r.Result, r.Meta)
	}
}
