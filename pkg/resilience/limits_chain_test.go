package resilience_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"
)

// stack is one dependency behind every policy, in the order of the design.
type stack struct {
	chaos    *resilience.Chaos
	breaker  *resilience.Breaker
	bulkhead *resilience.Bulkhead
	limit    *resilience.RateLimit
	attempts atomic.Int64
	ladder   *resilience.Fallback
}

func newStack(t testing.TB) *stack {
	t.Helper()
	s := &stack{
		chaos:    mustChaos(t, resilience.ChaosOptions{Seed: 1}),
		bulkhead: mustBulkhead(t, resilience.BulkheadOptions{Name: "llm", Slots: 10}),
		limit:    mustRateLimit(t, resilience.RateLimitOptions{Name: "llm", PerSecond: 1e8}),
	}
	retry, err := resilience.NewRetry(resilience.RetryOptions{Name: "llm", Observer: func(e resilience.Event) {
		if e.Kind == resilience.EventAttempt {
			s.attempts.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s.breaker, err = resilience.NewBreaker(resilience.BreakerOptions{Name: "llm"}); err != nil {
		t.Fatal(err)
	}
	s.ladder = mustFallback(t, resilience.FallbackOptions{Name: "assistant", Rungs: []resilience.Rung{
		{Name: "primary", Policy: resilience.Chain{
			retry, s.breaker, s.limit, s.bulkhead, resilience.Timeout{Limit: 30 * time.Second}, s.chaos.Service("llm_service"),
		}},
		{Name: "static", Func: pass},
	}})
	return s
}

func (s *stack) ask(ctx context.Context) (resilience.Answer, error) {
	return s.ladder.Answer(ctx, func(context.Context, int) error { return nil })
}

// The chaos tests of the guide, on the policies alone.
func TestChaosDrills(t *testing.T) {
	t.Run("the breaker opens on failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStack(t)
			if err := s.chaos.Force(resilience.ServiceFailure, 1); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				_, _ = s.ask(t.Context())
			}
			if got := s.breaker.Stats().State; got != resilience.StateOpen {
				t.Errorf("got a breaker that is %s, want it open", got)
			}
		})
	})
	t.Run("a disabled service is answered by a lower rung", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStack(t)
			if err := s.chaos.Disable("llm_service"); err != nil {
				t.Fatal(err)
			}
			answer, err := s.ask(t.Context())
			if err != nil || answer.Rung != "static" || !errors.Is(answer.Passed[0], resilience.ErrChaos) {
				t.Errorf("got %+v and %v, want the static rung, because of the disabled service", answer, err)
			}
		})
	})
	t.Run("two transient failures are two retries", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStack(t)
			mustAdd(t, s.chaos, resilience.Scenario{Kind: resilience.TransientFailure, MaxOccurrences: 2})
			answer, err := s.ask(t.Context())
			if err != nil || answer.Rung != "primary" || s.attempts.Load() != 3 {
				t.Errorf("got %+v, %v and %d attempts, want the primary rung at the third", answer, err, s.attempts.Load())
			}
		})
	})
}

func BenchmarkSixPolicies(b *testing.B) {
	s := newStack(b)
	b.Run("success", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = s.ladder.Do(b.Context(), pass)
		}
	})
	s.breaker.Isolate()
	b.Run("breaker isolated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = s.ladder.Do(b.Context(), pass)
		}
	})
}
