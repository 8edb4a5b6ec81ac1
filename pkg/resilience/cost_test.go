//go:build !race

package resilience_test

import (
	"context"
	"testing"
	"time"

	"genesis/pkg/resilience"
)

// sixPolicies are fallback, retry, breaker, rate limit, bulkhead and timeout, as
// a worker has them, before a rung that always answers, if one is given.
func sixPolicies(t testing.TB, last ...resilience.Rung) (*resilience.Fallback, *resilience.Breaker) {
	t.Helper()
	breaker := newBreaker(t, resilience.BreakerOptions{Name: "llm"})
	chain := resilience.Chain{
		newRetry(t, resilience.RetryOptions{Name: "llm", Budget: newBudget(t, resilience.BudgetOptions{})}),
		breaker,
		mustRateLimit(t, resilience.RateLimitOptions{Name: "llm", PerSecond: 1e8}),
		mustBulkhead(t, resilience.BulkheadOptions{Name: "llm", Slots: 64}),
		resilience.Timeout{Limit: time.Minute},
	}
	rungs := append([]resilience.Rung{{Name: "primary", Policy: chain}}, last...)
	return mustFallback(t, resilience.FallbackOptions{Rungs: rungs}), breaker
}

func openBreaker(t testing.TB, b *resilience.Breaker) {
	t.Helper()
	for range 5 {
		_ = b.Do(t.Context(), fail)
	}
	if b.Stats().State != resilience.StateOpen {
		t.Fatalf("got a breaker that is %s, want it open", b.Stats().State)
	}
}

func TestWhatACallAllocates(t *testing.T) {
	static := resilience.Rung{Name: "static", Func: pass}
	waits := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		default:
			return nil
		}
	}
	open, breaker := sixPolicies(t)
	openBreaker(t, breaker)
	degraded, breaker := sixPolicies(t, static)
	openBreaker(t, breaker)
	closed, _ := sixPolicies(t, static)
	bulkhead := mustBulkhead(t, resilience.BulkheadOptions{Slots: 1})
	limit := mustRateLimit(t, resilience.RateLimitOptions{PerSecond: 1e-3})
	_ = limit.Do(t.Context(), pass)
	inside := resilience.Chain{
		newRetry(t, resilience.RetryOptions{MaxAttempts: 1, Budget: newBudget(t, resilience.BudgetOptions{})}),
		newBreaker(t, resilience.BreakerOptions{}), limit,
		resilience.Timeout{Limit: time.Minute},
	}
	tests := []struct {
		name   string
		policy resilience.Policy
		next   resilience.Func
		most   float64
	}{
		{"rejected by the breaker", open, pass, 0},
		{"rejected and answered by the next rung", degraded, pass, 0},
		{"rejected by a rate limit", limit, pass, 0},
		{"rejected inside of a closed breaker", inside, pass, 0},
		{"success", closed, pass, 1},
		{"success of work that waits on its context", closed, waits, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			if got := testing.AllocsPerRun(1000, func() { _ = tt.policy.Do(ctx, tt.next) }); got > tt.most {
				t.Errorf("got %v allocations, want %v at most", got, tt.most)
			}
		})
	}
	_ = bulkhead.Do(t.Context(), func(ctx context.Context) error {
		if got := testing.AllocsPerRun(1000, func() { _ = bulkhead.Do(ctx, pass) }); got > 0 {
			t.Errorf("rejected by a bulkhead: got %v allocations, want none", got)
		}
		return nil
	})
}

func TestChainAllocatesNothingHoweverLong(t *testing.T) {
	for n := range 8 {
		chain := make(resilience.Chain, n)
		for i := range chain {
			chain[i] = times(1)
		}
		ctx := t.Context()
		if got := testing.AllocsPerRun(1000, func() { _ = chain.Do(ctx, pass) }); got > 0 {
			t.Errorf("chain of %d: got %v allocations, want none", n, got)
		}
	}
}

func BenchmarkWholeChain(b *testing.B) {
	ladder, breaker := sixPolicies(b)
	b.Run("success", func(b *testing.B) { benchmarkPolicy(b, ladder) })
	b.Run("work that waits", func(b *testing.B) {
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			_ = ladder.Do(ctx, func(ctx context.Context) error { ctx.Done(); return nil })
		}
	})
	openBreaker(b, breaker)
	b.Run("rejected", func(b *testing.B) { benchmarkPolicy(b, ladder) })
}
