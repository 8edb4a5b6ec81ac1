package resilience_test

import (
	"context"
	"testing"
	"time"

	"genesis/pkg/resilience"
)

func BenchmarkTimeout(b *testing.B) {
	benchmarkPolicy(b, resilience.Timeout{Limit: time.Minute})
	b.Run("work that waits", func(b *testing.B) {
		b.ReportAllocs()
		waiting := func(ctx context.Context) error { ctx.Done(); return nil }
		for b.Loop() {
			_ = resilience.Timeout{Limit: time.Minute}.Do(b.Context(), waiting)
		}
	})
}

func BenchmarkDeadline(b *testing.B) {
	benchmarkPolicy(b, resilience.Deadline{Limit: time.Minute})
}

func BenchmarkRetry(b *testing.B) {
	budget, err := resilience.NewBudget(resilience.BudgetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for name, o := range map[string]resilience.RetryOptions{"alone": {}, "with budget": {Budget: budget}} {
		b.Run(name, func(b *testing.B) {
			retry, err := resilience.NewRetry(o)
			if err != nil {
				b.Fatal(err)
			}
			benchmarkPolicy(b, retry)
		})
	}
}

func BenchmarkBudgetSpend(b *testing.B) {
	budget, err := resilience.NewBudget(resilience.BudgetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		budget.Spend()
	}
}

func BenchmarkChain(b *testing.B) {
	budget, err := resilience.NewBudget(resilience.BudgetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	retry, err := resilience.NewRetry(resilience.RetryOptions{Budget: budget})
	if err != nil {
		b.Fatal(err)
	}
	breaker, err := resilience.NewBreaker(resilience.BreakerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkPolicy(b, resilience.Chain{retry, breaker, resilience.Timeout{Limit: time.Minute}})
}

func BenchmarkGather(b *testing.B) {
	call := resilience.Call[int]{Do: func(context.Context) (int, error) { return 1, nil }}
	b.ReportAllocs()
	for b.Loop() {
		resilience.Gather(b.Context(), call, call)
	}
}
