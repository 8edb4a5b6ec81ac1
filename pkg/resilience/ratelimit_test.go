package resilience_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func mustRateLimit(t testing.TB, o resilience.RateLimitOptions) *resilience.RateLimit {
	t.Helper()
	r, err := resilience.NewRateLimit(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pass(context.Context) error { return nil }

// A token bucket is the model: calls come at any times, and each passes exactly
// when the bucket has a token.
func TestRateLimitAgainstATokenBucket(t *testing.T) {
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		perSecond := float64(rapid.IntRange(1, 64).Draw(rt, "per second"))
		burst := rapid.IntRange(1, 600).Draw(rt, "burst")
		r := mustRateLimit(t, resilience.RateLimitOptions{PerSecond: perSecond, Burst: burst})
		tokens, last := float64(burst), time.Now()
		stashed := float64(burst / 8) // so many at most are left in the stash, and the rest refills
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			wait(time.Second * time.Duration(rapid.IntRange(0, 512).Draw(rt, "pause, 1/64 s")) / 64)
			calls := rapid.IntRange(1, 100).Draw(rt, "calls")
			tokens = min(float64(burst), tokens+perSecond*time.Since(last).Seconds())
			last = time.Now()
			passed := 0
			for range calls {
				if r.Do(t.Context(), pass) == nil {
					passed++
				}
			}
			most := min(float64(calls), math.Floor(tokens+1e-6))
			if float64(passed) > most || float64(passed) < math.Floor(min(most, tokens-stashed)) {
				rt.Fatalf("got %d of %d calls through, want %v, with %v tokens", passed, calls, most, tokens)
			}
			tokens -= float64(passed)
		}
	})
}

// Over any time, never more than the rate and one burst, and under demand not
// less than the rate; however many cores ask.
func TestRateLimitHoldsUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, maxWait := range []time.Duration{0, time.Second} {
			r := mustRateLimit(t, resilience.RateLimitOptions{PerSecond: 100, Burst: 50, MaxWait: maxWait})
			var passed atomic.Int64
			var wg sync.WaitGroup
			start := time.Now()
			for i := range 20 {
				wg.Go(func() {
					for time.Since(start) < 10*time.Second {
						if r.Do(t.Context(), pass) == nil {
							passed.Add(1)
						}
						wait(time.Duration(i+1) * time.Millisecond)
					}
				})
			}
			wg.Wait()
			most := 50 + int64(100*time.Since(start).Seconds())
			if got := passed.Load(); got > most || got < 1000 {
				t.Errorf("max wait %v: got %d calls through in 10 s, want from 1000 to %d", maxWait, got, most)
			}
		}
	})
}

func TestRateLimitWaits(t *testing.T) {
	errDrain := errors.New("draining")
	timeout := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	tests := []struct {
		name string
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		took time.Duration
		err  string
	}{
		{"for its turn", context.WithCancel, 2 * time.Second, ""},
		{"not when it would come too late for the deadline", timeout(time.Second), 0, "rejected: rate limit (come back in 2s)"},
		{"until the caller goes away", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			stop := time.AfterFunc(time.Second, func() { cancel(errDrain) })
			return ctx, func() { stop.Stop() }
		}, time.Second, "rejected: rate limit: draining"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := mustRateLimit(t, resilience.RateLimitOptions{PerSecond: 0.5, MaxWait: 4 * time.Second})
				_ = r.Do(t.Context(), pass)
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				start := time.Now()
				err := r.Do(ctx, pass)
				if took := time.Since(start); took != tt.took || message(err) != tt.err {
					t.Errorf("got %v after %v, want %q after %v", err, took, tt.err, tt.took)
				}
				if err != nil && !errors.Is(err, resilience.ErrRejected) {
					t.Errorf("got %v, want a rejection", err)
				}
			})
		})
	}
}

func TestRateLimitServesInOrderAndBoundsTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRateLimit(t, resilience.RateLimitOptions{PerSecond: 1, MaxWait: 5 * time.Second})
		var mu sync.Mutex
		var order []int
		var rejected atomic.Int64
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				err := r.Do(t.Context(), func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
					return nil
				})
				if err != nil {
					rejected.Add(1)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(order, want) || rejected.Load() != 4 {
			t.Errorf("got %v and %d rejected, want %v and 4", order, rejected.Load(), want)
		}
	})
}

// Who does not wait, or waits no longer, takes no turn from those who come later.
func TestRateLimitGivesTurnsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustRateLimit(t, resilience.RateLimitOptions{PerSecond: 1, MaxWait: 5 * time.Second})
		_ = r.Do(t.Context(), pass)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		for range 20 { // rejected, since their turn would come too late
			_ = r.Do(impatient, pass)
		}
		gone, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = r.Do(gone, pass) })
		synctest.Wait()
		leave()
		wg.Wait()
		start := time.Now()
		if err := r.Do(t.Context(), pass); err != nil || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want the next turn, after 1s", err, time.Since(start))
		}
	})
}

func TestRateLimitReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []resilience.Event
		r := mustRateLimit(t, resilience.RateLimitOptions{
			Name: "openai", PerSecond: 0.1, Observer: func(e resilience.Event) { events = append(events, e) },
		})
		_ = r.Do(t.Context(), pass)
		err := r.Do(t.Context(), pass)
		if got, want := message(err), "rejected: rate limit (come back in 10s)"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		want := resilience.Event{
			Kind: resilience.EventRejected, Policy: "ratelimit", Name: "openai", Reason: "rate limit", Delay: 10 * time.Second,
		}
		if !slices.Equal(events, []resilience.Event{want}) {
			t.Errorf("events: got %+v, want %+v", events, want)
		}
		if got, want := r.Stats(), (resilience.RateLimitStats{Name: "openai", PerSecond: 0.1, Burst: 1, Rejected: 1}); got != want {
			t.Errorf("stats: got %+v, want %+v", got, want)
		}
	})
}

func TestRateLimitRefusesWhatCannotWork(t *testing.T) {
	_, err := resilience.NewRateLimit(resilience.RateLimitOptions{PerSecond: math.NaN(), Burst: -1, MaxWait: -1, RetryAfter: -1})
	wantFields(t, err, "rate limit: PerSecond is NaN", "rate limit: Burst is -1", "rate limit: MaxWait is -1ns", "rate limit: RetryAfter is -1ns")
	refusesMisuse(t, mustRateLimit(t, resilience.RateLimitOptions{PerSecond: 1}))
}

func BenchmarkRateLimit(b *testing.B) {
	open := mustRateLimit(b, resilience.RateLimitOptions{PerSecond: 5e8, Burst: 5e8})
	b.Run("success", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = open.Do(b.Context(), pass)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = open.Do(b.Context(), pass)
			}
		})
	})
	b.Run("rejected", func(b *testing.B) {
		shut := mustRateLimit(b, resilience.RateLimitOptions{PerSecond: 1e-6})
		_ = shut.Do(b.Context(), pass)
		b.ReportAllocs()
		for b.Loop() {
			_ = shut.Do(b.Context(), pass)
		}
	})
}

func BenchmarkSharedRateLimit(b *testing.B) {
	s := mustShared(b, resilience.SharedRateLimitOptions{
		Name: "openai", PerSecond: 5e8, Burst: 5e8, Store: &keptBuckets{}, Replica: "a",
	})
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	for s.Stats().Local { // until the first lease
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Do(ctx, pass)
	}
	b.ReportMetric(float64(s.Stats().Rejected)/float64(b.N), "rejected/op")
}
