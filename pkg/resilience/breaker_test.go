package resilience_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"
)

func TestBreakerOptionsAreRefusedAllAtOnce(t *testing.T) {
	_, err := resilience.NewBreaker(resilience.BreakerOptions{
		FailureThreshold: -1, FailureRate: 1.5, SlowCall: -1, SlowRate: math.NaN(), Window: -1, MinCalls: -1,
		RecoveryTimeout: -1, Probes: -1, Ramp: -1,
	})
	for _, field := range []string{"FailureThreshold", "FailureRate", "SlowCall", "SlowRate", "Window", "MinCalls", "RecoveryTimeout", "Probes", "Ramp"} {
		if !strings.Contains(message(err), "breaker: "+field+" ") {
			t.Errorf("got %v, want it to name %s", err, field)
		}
	}
	if _, err := resilience.NewBreaker(resilience.BreakerOptions{SlowRate: 0.5}); err == nil {
		t.Errorf("a slow rate without SlowCall: got nil, want an error")
	}
}

func TestBreakerOfTheGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		b := newBreaker(t, resilience.BreakerOptions{Name: "llm_service", NoJitter: true, Observer: seen.observe})
		for i := range 4 {
			_ = b.Do(t.Context(), fail)
			if got := b.State(); got != resilience.StateClosed {
				t.Fatalf("after %d failures: got %s, want closed", i+1, got)
			}
		}
		_ = b.Do(t.Context(), fail)
		if got := b.State(); got != resilience.StateOpen {
			t.Fatalf("after 5 failures: got %s, want open", got)
		}
		wait(time.Minute - 1)
		err := b.Do(t.Context(), done)
		if !errors.Is(err, resilience.ErrRejected) || !errors.Is(err, errBoom) {
			t.Fatalf("before 60 s: got %v, want a rejection that tells of the last failure", err)
		}
		wait(1)
		if err := b.Do(t.Context(), done); err != nil {
			t.Fatalf("after 60 s: got %v, want a probe", err)
		}
		if got := b.State(); got != resilience.StateClosed {
			t.Fatalf("after the probe: got %s, want closed", got)
		}
		want := []string{"trip: consecutive failures", "rejected: breaker open", "state_changed", "probe", "close: probes succeeded"}
		if got := seen.kinds(); !slices.Equal(got, want) {
			t.Errorf("events: got %q, want %q", got, want)
		}
	})
}

func TestBreakerStatsAreTheGuides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, resilience.BreakerOptions{Name: "llm_service"})
		for range 198 {
			_ = b.Do(t.Context(), done)
		}
		for range 2 {
			_ = b.Do(t.Context(), fail)
		}
		got, err := json.Marshal(b.Stats())
		want := `{"name":"llm_service","state":"closed","failure_count":2,"success_count":198,"total_calls":200,"success_rate":0.99,` +
			`"last_failure_time":"2000-01-01T00:00:00Z","opened_at":null,"next_probe_at":null}`
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	})
}

func TestBreakerRecoveryIsJitteredUpwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		b := newBreaker(t, resilience.BreakerOptions{FailureThreshold: 1, Observer: func(e resilience.Event) {
			if e.Kind == resilience.EventTrip {
				waits = append(waits, e.Delay)
			}
		}})
		for range 200 {
			b.Reset()
			_ = b.Do(t.Context(), fail)
		}
		low, high := slices.Min(waits), slices.Max(waits)
		if low < time.Minute || high > 66*time.Second || high-low < 4*time.Second {
			t.Errorf("got waits within %v and %v, want them spread over 60 s to 66 s", low, high)
		}
	})
}

// A probe that hangs must not hold the breaker half-open for ever.
func TestBreakerGivesUpAProbeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, resilience.BreakerOptions{FailureThreshold: 1, NoJitter: true})
		_ = b.Do(t.Context(), fail)
		wait(time.Minute)
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.Do(t.Context(), func(context.Context) error { <-release; return errBoom }) })
		synctest.Wait()
		wait(time.Minute)
		if err := b.Do(t.Context(), done); !errors.Is(err, resilience.ErrRejected) || b.State() != resilience.StateOpen {
			t.Fatalf("a minute later: got %v, %s, want the breaker open again", err, b.State())
		}
		wait(time.Minute)
		if err := b.Do(t.Context(), done); err != nil || b.State() != resilience.StateClosed {
			t.Fatalf("two minutes later: got %v, %s, want another probe to close it", err, b.State())
		}
		close(release)
		wg.Wait()
		if b.State() != resilience.StateClosed {
			t.Errorf("got %s, want what the first probe says at last not to count", b.State())
		}
	})
}

func TestBreakerCountsByItsOwnRule(t *testing.T) {
	b := newBreaker(t, resilience.BreakerOptions{FailureThreshold: 1, Counts: func(err error) bool { return !errors.Is(err, errBoom) }})
	if _ = b.Do(t.Context(), fail); b.State() != resilience.StateClosed {
		t.Errorf("got %s, want an error outside of the rule not to count", b.State())
	}
	if _ = b.Do(t.Context(), func(context.Context) error { return resilience.Permanent(io.EOF) }); b.State() != resilience.StateOpen {
		t.Errorf("got %s, want an error of the rule to count", b.State())
	}
}

// A crowd that waits for a dependency to come back must not bring it down again.
func TestBreakerComesBackWithoutAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, resilience.BreakerOptions{FailureThreshold: 1, NoJitter: true, Probes: 2, Ramp: 20})
		_ = b.Do(t.Context(), fail)
		wait(time.Minute)
		var got []int64
		for range 6 { // waves, each a round trip of one second
			var admitted atomic.Int64
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					_ = b.Do(t.Context(), func(context.Context) error {
						admitted.Add(1)
						wait(time.Second)
						return nil
					})
				})
			}
			wg.Wait()
			got = append(got, admitted.Load())
		}
		if want := []int64{2, 3, 6, 12, 100, 100}; !slices.Equal(got, want) {
			t.Errorf("got waves of %v calls let through, want %v", got, want)
		}
	})
}

// With real goroutines: every call is either rejected or counted, and the events
// tell one story, whatever an operator does meanwhile.
func TestBreakerKeepsCountUnderConcurrency(t *testing.T) {
	var seen events
	b := newBreaker(t, resilience.BreakerOptions{
		FailureThreshold: 3, RecoveryTimeout: time.Millisecond, Probes: 2, Ramp: 4, Observer: seen.observe,
	})
	const workers, each = 8, 3000
	var made, rejected atomic.Uint64
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := range each {
				err := b.Do(t.Context(), func(context.Context) error {
					runtime.Gosched()
					if (i/200+worker)%3 == 0 {
						return errBoom
					}
					return nil
				})
				if errors.Is(err, resilience.ErrRejected) {
					rejected.Add(1)
				} else {
					made.Add(1)
				}
				switch {
				case worker == 0 && i%500 == 0:
					b.Isolate()
					b.Release()
				case worker == 1 && i%50 == 0:
					b.Follow(resilience.Decision{Open: i%100 == 0})
				case worker == 2 && i%10 == 0:
					b.Room()
					b.Vote("a")
					if s := b.Stats(); s.SuccessCount+s.FailureCount != s.TotalCalls {
						t.Errorf("got %+v, want the total to be the sum", s)
					}
				}
			}
		})
	}
	wg.Wait()
	if s := b.Stats(); s.TotalCalls != made.Load() || made.Load()+rejected.Load() != workers*each {
		t.Errorf("got %d calls counted, want %d; rejected %d, want %d in all", s.TotalCalls, made.Load(), rejected.Load(), workers*each)
	}
	state := resilience.StateClosed
	for _, e := range seen.seen {
		if e.From == "" {
			continue
		}
		if e.From != state && (state != resilience.StateOpen || e.From != resilience.StateHalfOpen) {
			t.Fatalf("got %+v after state %s", e, state)
		}
		state = e.To
	}
}

// A pool that takes work only while there is room spends nothing on a dependency
// that is away for ten minutes: each call it makes is one the breaker wants.
func TestBreakerHasNoRoomDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, resilience.BreakerOptions{})
		calls, rejected := 0, 0
		for start := time.Now(); time.Since(start) < 10*time.Minute; {
			room, after := b.Room()
			if room == 0 {
				wait(after)
				continue
			}
			calls++
			if errors.Is(b.Do(t.Context(), fail), resilience.ErrRejected) {
				rejected++
			}
		}
		if rejected != 0 || calls < 5+8 || calls > 5+9 {
			t.Errorf("got %d calls and %d rejected, want 5 to open it and a probe for each 60 s to 66 s", calls, rejected)
		}
	})
}

func TestBreakerRejectsWithoutAllocating(t *testing.T) {
	b := newBreaker(t, resilience.BreakerOptions{FailureThreshold: 1})
	ctx := t.Context()
	if got := testing.AllocsPerRun(1000, func() { _ = b.Do(ctx, done) }); got != 0 {
		t.Errorf("closed: got %v allocations, want none", got)
	}
	_ = b.Do(ctx, fail)
	if got := testing.AllocsPerRun(1000, func() { _ = b.Do(ctx, done) }); got != 0 {
		t.Errorf("open: got %v allocations, want none", got)
	}
	b.Isolate()
	if got := testing.AllocsPerRun(1000, func() { _ = b.Do(ctx, done) }); got != 0 {
		t.Errorf("isolated: got %v allocations, want none", got)
	}
}
