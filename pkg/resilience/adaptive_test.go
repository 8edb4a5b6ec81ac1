package resilience_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func mustAdaptive(t testing.TB, o resilience.AdaptiveOptions) *resilience.AdaptiveBulkhead {
	t.Helper()
	a, err := resilience.NewAdaptiveBulkhead(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// served is a dependency that works on so many calls at once, each for so long,
// and lets the others queue.
type served struct {
	*resilience.Bulkhead
	mu      sync.Mutex
	latency time.Duration
}

func newServed(t testing.TB, workers int, latency time.Duration) *served {
	t.Helper()
	return &served{
		Bulkhead: mustBulkhead(t, resilience.BulkheadOptions{Slots: workers, MaxWaiting: 10000, MaxWait: time.Hour}),
		latency:  latency,
	}
}

func (s *served) slowDown(latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = latency
}

func (s *served) call(ctx context.Context) error {
	return s.Do(ctx, func(context.Context) error {
		s.mu.Lock()
		latency := s.latency
		s.mu.Unlock()
		wait(latency)
		return nil
	})
}

// hammer keeps calling from many callers at once until ctx ends.
func hammer(ctx context.Context, wg *sync.WaitGroup, callers int, p resilience.Policy, call resilience.Func) {
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = p.Do(ctx, func(ctx context.Context) error { return call(context.WithoutCancel(ctx)) })
			}
		})
	}
}

func TestAdaptiveFindsTheLimit(t *testing.T) {
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		workers := rapid.IntRange(3, 20).Draw(rt, "workers")
		latency := time.Duration(rapid.IntRange(100, 1000).Draw(rt, "latency, ms")) * time.Millisecond
		dependency := newServed(t, workers, latency)
		a := mustAdaptive(t, resilience.AdaptiveOptions{Ceiling: 1000, MinCalls: 10, MaxWaiting: 1000, MaxWait: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		hammer(ctx, &wg, 100, a, dependency.call)
		defer wg.Wait()
		defer cancel()

		// Forty windows to get there, and then it stays, but for the moments in
		// which it measures.
		settle := 40 * max(time.Second, 10*latency/time.Duration(workers))
		wait(settle)
		const looks = 40
		sum, most := 0, 0
		for range looks {
			wait(settle / 20)
			got := a.Stats().Slots
			sum += got
			most = max(most, got)
		}
		if mean := float64(sum) / looks; mean < 0.8*float64(workers) || most > 3*workers {
			rt.Fatalf("got %.1f slots on average and %d at most for %d workers, want from 0.8 to 3 times", mean, most, workers)
		}
	})
}

func TestAdaptiveFollowsTheDependency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 10
		dependency := newServed(t, workers, 100*time.Millisecond)
		a := mustAdaptive(t, resilience.AdaptiveOptions{Floor: 2, Ceiling: 1000, MaxWaiting: 1000, MaxWait: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		hammer(ctx, &wg, 100, a, dependency.call)
		defer wg.Wait()
		defer cancel()

		within := func(when string, from, to int) {
			t.Helper()
			if got := a.Stats().Slots; got < from || got > to {
				t.Errorf("%s: got %d slots, want from %d to %d", when, got, from, to)
			}
		}
		wait(time.Minute)
		within("settled", workers, 25)
		dependency.slowDown(400 * time.Millisecond)
		wait(30 * time.Second)
		within("four times slower is congestion at first", 2, workers)
		wait(5 * time.Minute)
		within("slower for good is not", workers, 25)
		dependency.slowDown(100 * time.Millisecond)
		wait(5 * time.Minute)
		within("fast again", workers, 25)
	})
}

// What AIMD is chosen for: whoever comes later gets its share.
func TestAdaptiveReplicasShareADependency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dependency := newServed(t, 20, 100*time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var replicas []*resilience.AdaptiveBulkhead
		for range 2 {
			a := mustAdaptive(t, resilience.AdaptiveOptions{Ceiling: 100, MaxWaiting: 1000, MaxWait: time.Hour})
			replicas = append(replicas, a)
			hammer(ctx, &wg, 100, a, dependency.call)
			wait(time.Minute)
		}
		defer wg.Wait()
		defer cancel()
		const looks = 40
		var sums [2]int
		for range looks {
			wait(5 * time.Second)
			for i, a := range replicas {
				sums[i] += a.Stats().Slots
			}
		}
		if sums[0] > 2*sums[1] || sums[1] > 2*sums[0] {
			t.Errorf("got %.1f and %.1f slots on average, want neither twice the other", float64(sums[0])/looks, float64(sums[1])/looks)
		}
	})
}

func TestAdaptiveSignals(t *testing.T) {
	errOverloaded := resilience.RetryAfter(errors.New("429"), time.Second)
	tests := []struct {
		name string
		err  error
		want int // slots after two windows, from 10
	}{
		{"success is room for more, as long as half is used", nil, 20},
		{"being told to come back later is congestion, and halves them the first time", errOverloaded, 5},
		{"failures say nothing about load", errBoom, 10},
		{"rejections say nothing about load", resilience.Reject("breaker open", time.Second), 10},
		{"hitting the bound counts as it took", &resilience.TimeoutError{Limit: time.Second}, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := mustAdaptive(t, resilience.AdaptiveOptions{Initial: 10, Ceiling: 100, MinCalls: 6})
				for range 2 { // in batches of 6 of the 10 slots
					var wg sync.WaitGroup
					for range 6 {
						wg.Go(func() { _ = a.Do(t.Context(), func(context.Context) error { wait(time.Second); return tt.err }) })
					}
					wg.Wait()
				}
				if got := a.Stats().Slots; got != tt.want {
					t.Errorf("got %d slots, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestAdaptiveRefusesWhatCannotWork(t *testing.T) {
	_, err := resilience.NewAdaptiveBulkhead(resilience.AdaptiveOptions{
		Floor: -1, Initial: 7, Tolerance: 1, Window: -1, MinCalls: -1, BaselineAge: -1, MaxWait: -1,
	})
	wantFields(t, err, "Floor is -1", "Initial is 7", "Tolerance is 1", "Window is -1ns", "MinCalls is -1", "MaxWait is -1ns")
	_, err = resilience.NewAdaptiveBulkhead(resilience.AdaptiveOptions{})
	wantFields(t, err, "Ceiling is 0", "Initial is 1")
	refusesMisuse(t, mustAdaptive(t, resilience.AdaptiveOptions{Ceiling: 1}))
}

func BenchmarkAdaptiveBulkhead(b *testing.B) {
	a := mustAdaptive(b, resilience.AdaptiveOptions{Ceiling: 100})
	work := func(context.Context) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		_ = a.Do(b.Context(), work)
	}
}
