package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

func TestProvidersHaveThePolicyTheyName(t *testing.T) {
	g := testGuards(t, loadConfig(t, `
policies:
  all:
    deadline: 40s
    timeout: 15s
    retry: {}
    breaker: {}
    rate_limit: {per_second: 5}
    bulkhead: {slots: 3}
  io: {bulkhead: {name: io, slots: 10}}
  both: {bulkhead: {slots: 2, within: [io]}}
  elastic: {bulkhead: {adaptive: {ceiling: 9}}}
providers:
  all: {kind: echo, policy: all}
  web: {kind: http, url: "http://h"}
  one: {kind: echo, policy: io}
  two: {kind: echo, policy: io}
  three: {kind: echo, policy: both}
  elastic: {kind: echo, policy: elastic}
`))
	kinds := func(c resilience.Chain) (got []string) {
		for _, p := range c {
			switch p.(type) {
			case resilience.Deadline:
				got = append(got, "deadline")
			case *resilience.Retry:
				got = append(got, "retry")
			case *resilience.Breaker:
				got = append(got, "breaker")
			case *resilience.RateLimit:
				got = append(got, "rate_limit")
			case *resilience.Bulkhead:
				got = append(got, "bulkhead")
			case *resilience.AdaptiveBulkhead:
				got = append(got, "adaptive")
			case resilience.Timeout:
				got = append(got, "timeout")
			case *resilience.ChaosPolicy:
				got = append(got, "chaos")
			}
		}
		return got
	}
	for _, tt := range []struct{ provider, policy, attempt string }{
		{"all", "deadline retry", "breaker rate_limit bulkhead timeout chaos"},
		{"web", "retry", "breaker chaos"},
		{"echo", "", "chaos"},
		{"one", "", "bulkhead chaos"},
		{"three", "", "bulkhead bulkhead chaos"},
		{"elastic", "", "adaptive chaos"},
	} {
		guard, err := g.provider(tt.provider)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(kinds(guard.policy), " "); got != tt.policy {
			t.Errorf("%s, around all attempts: got %q, want %q", tt.provider, got, tt.policy)
		}
		if got := strings.Join(kinds(guard.attempt), " "); got != tt.attempt {
			t.Errorf("%s, around each attempt: got %q, want %q", tt.provider, got, tt.attempt)
		}
		if again, _ := g.provider(tt.provider); again != guard {
			t.Errorf("%s: asked twice, got two guards, want one", tt.provider)
		}
	}
	one, _ := g.provider("one")
	for _, name := range []string{"two", "three"} {
		if other, _ := g.provider(name); one.attempt[0] != other.attempt[0] {
			t.Errorf("bulkheads named io of one and %s: got two, want one", name)
		}
	}
	if err := g.checkOrder(); err != nil {
		t.Errorf("order of bulkheads: got %v", err)
	}
}

// What is over the limit waits in its queue, and is not fetched over and over.
func TestALimitHoldsItsAgentBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t, `
policies: {p: {rate_limit: {per_second: 2, burst: 1}}}
providers: {echo: {kind: echo, policy: p}}
agents: {a: {ladder: [{rung: primary, provider: echo}]}}
`)
		s.execute(t, "w1")
		var ids []string
		for range 20 {
			ids = append(ids, s.ask(t, "a", bus.Request{}))
		}
		time.Sleep(time.Minute)
		var delivered []int
		for _, id := range ids {
			r := s.answerTo(t, "a", id)
			if !r.Success || r.Meta.RetryCount != 0 {
				t.Errorf("got %+v %+v, want an answer without a failed attempt", r.Result, r.Meta)
			}
			delivered = append(delivered, int(r.Meta.Deliveries))
		}
		if most := slices.Max(delivered); most > 20 {
			t.Errorf("deliveries of one request: got %d, want few: %v", most, delivered)
		}
	})
}

// Two agents use one provider: what one finds out, the other knows.
func TestAgentsShareTheBreakerOfTheirProvider(t *testing.T) {
	g := testGuards(t, loadConfig(t, `
policies: {p: {breaker: {failure_threshold: 2}}}
providers: {llm: {kind: simulated, policy: p}}
agents:
  a: {ladder: [{rung: primary, provider: llm}]}
  b: {ladder: [{rung: primary, provider: llm}, {rung: static, text: busy}]}
`))
	registry, err := newRegistry(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.chaos.Disable("llm"); err != nil {
		t.Fatal(err)
	}
	a, _ := registry.Get("a")
	for range 2 {
		if _, err := a.Handle(t.Context(), agents.Task{Prompt: "hi"}); !errors.Is(err, resilience.ErrChaos) {
			t.Fatalf("got %v, want the drill's failure", err)
		}
	}
	g.chaos.Clear()
	b, _ := registry.Get("b")
	if r, err := b.Handle(t.Context(), agents.Task{Prompt: "hi"}); err != nil || r.Rung != "static" || !r.Degraded {
		t.Errorf("the other agent: got %+v, %v, want its rung to be skipped", r, err)
	}
	if calls, after := g.room(g.cfg.Agents["a"]).calls(); calls != 0 || after < time.Minute {
		t.Errorf("room of an agent without another rung: got %d after %v, want none until the probe", calls, after)
	}
	if calls, _ := g.room(g.cfg.Agents["b"]).calls(); calls >= 0 {
		t.Errorf("room of an agent with a static rung: got %d, want any number", calls)
	}
}

// Redeliveries and retries in process are paid from one budget.
func TestAStormOfFailuresCostsNoMoreThanTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGuards(t, loadConfig(t, `
policies: {p: {retry: {max_attempts: 3, initial_delay: 10ms}, retry_budget: {ratio: 0.2, per_second: 1}}}
providers: {llm: {kind: simulated, policy: p}}
agents: {a: {ladder: [{rung: primary, provider: llm}]}}
`))
		registry, err := newRegistry(g, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.chaos.Disable("llm"); err != nil {
			t.Fatal(err)
		}
		a, _ := registry.Get("a")
		const requests = 1000
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second / 100)
				_, _ = a.Handle(context.WithoutCancel(t.Context()), agents.Task{Prompt: "hi"})
				time.Sleep(time.Second)
				_, _ = a.Handle(context.WithoutCancel(t.Context()), agents.Task{Prompt: "hi", Redelivered: true})
			})
		}
		wg.Wait()
		calls := g.chaos.List()[0].Occurred
		if calls > requests*13/10 {
			t.Errorf("calls for %d requests that all fail: got %d, want about a fifth more", requests, calls)
		}
	})
}
