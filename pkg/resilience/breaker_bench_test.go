package resilience_test

import (
	"context"
	"testing"

	"genesis/pkg/resilience"
)

func done(context.Context) error { return nil }

func benchmarkPolicy(b *testing.B, p resilience.Policy) {
	b.Helper()
	ctx := b.Context()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = p.Do(ctx, done)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = p.Do(ctx, done)
			}
		})
	})
}

func BenchmarkBreaker(b *testing.B) {
	for name, o := range map[string]resilience.BreakerOptions{
		"closed":     {},
		"with rates": {FailureRate: 0.5, SlowCall: 1 << 40},
	} {
		b.Run(name, func(b *testing.B) {
			breaker, err := resilience.NewBreaker(o)
			if err != nil {
				b.Fatal(err)
			}
			benchmarkPolicy(b, breaker)
		})
	}
	b.Run("open", func(b *testing.B) {
		breaker, err := resilience.NewBreaker(resilience.BreakerOptions{FailureThreshold: 1})
		if err != nil {
			b.Fatal(err)
		}
		_ = breaker.Do(b.Context(), func(context.Context) error { return errBoom })
		benchmarkPolicy(b, breaker)
	})
}
