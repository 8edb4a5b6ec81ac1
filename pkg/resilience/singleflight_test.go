package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// Callers come and go as they like: per key one call runs at a time as long as
// somebody waits for it, everybody who stays gets the result of a call that ran
// while it waited, and a call whose callers have all gone ends.
func TestSingleFlightAgainstItsPromises(t *testing.T) {
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		var s resilience.SingleFlight[int, int]
		var runs, inside [2]atomic.Int64
		var wg sync.WaitGroup
		work := time.Duration(rapid.IntRange(1, 5).Draw(rt, "work, s")) * time.Second
		for range rapid.IntRange(1, 12).Draw(rt, "callers") {
			key := rapid.IntRange(0, 1).Draw(rt, "key")
			patience := time.Duration(rapid.IntRange(1, 10).Draw(rt, "patience, s"))*time.Second + time.Second/2000 // no one goes when another comes
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				before := runs[key].Load()
				start := time.Now()
				got, _, err := s.Do(ctx, key, func(ctx context.Context) (int, error) {
					n := runs[key].Add(1)
					if inside[key].Add(1) > 1 {
						rt.Errorf("key %d: two calls at once", key)
					}
					defer inside[key].Add(-1)
					select {
					case <-time.After(work):
						return int(n), nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				})
				took := time.Since(start)
				switch {
				case err == nil && (int64(got) < before || got == 0 || took > work):
					rt.Errorf("got the result of run %d after %v, want one of run %d or later within %v", got, took, before, work)
				case err != nil && (took != patience || !errors.Is(err, context.DeadlineExceeded)):
					rt.Errorf("got %v after %v, want its own deadline after %v", err, took, patience)
				}
			})
			pause := time.Duration(rapid.IntRange(0, 3000).Draw(rt, "pause, ms")) * time.Millisecond
			wait(pause)
		}
		wg.Wait()
		if inside[0].Load()+inside[1].Load() != 0 {
			rt.Errorf("calls go on after every caller has gone")
		}
	})
}

func TestSingleFlightSharesOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var joins atomic.Int64
		s := resilience.SingleFlight[string, int]{Name: "embed", Observer: func(e resilience.Event) {
			if e.Kind == resilience.EventShared && e.Name == "embed" {
				joins.Add(1)
			}
		}}
		var calls atomic.Int64
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				got, shared, err := s.Do(t.Context(), "a", func(context.Context) (int, error) {
					wait(time.Second)
					return int(calls.Add(1)), errBoom
				})
				if got != 0 || !shared || !errors.Is(err, errBoom) {
					t.Errorf("got %d, shared %v, %v, want 0, shared, and the error", got, shared, err)
				}
			})
		}
		wg.Wait()
		if got, shared, err := s.Do(t.Context(), "a", func(context.Context) (int, error) { return 7, nil }); got != 7 || shared || err != nil {
			t.Errorf("alone: got %d, shared %v, %v, want 7 and not shared", got, shared, err)
		}
		if calls.Load() != 1 || joins.Load() != 4 {
			t.Errorf("got %d calls and %d joins, want 1 and 4", calls.Load(), joins.Load())
		}
	})
}

type valueKey struct{}

func TestSingleFlightCallersComeAndGo(t *testing.T) {
	errGone := errors.New("the user closed the page")
	synctest.Test(t, func(t *testing.T) {
		var s resilience.SingleFlight[string, string]
		first, leave := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "first's"))
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			_, _, err := s.Do(first, "a", func(ctx context.Context) (string, error) {
				select {
				case <-time.After(10 * time.Second):
					return fmt.Sprint(ctx.Value(valueKey{}), " answer"), nil
				case <-ctx.Done():
					return "", ctx.Err()
				}
			})
			if !errors.Is(err, errGone) || time.Since(start) != time.Second {
				t.Errorf("who left: got %v after %v, want its own cause at once", err, time.Since(start))
			}
		})
		synctest.Wait()
		wg.Go(func() {
			got, shared, err := s.Do(t.Context(), "a", func(context.Context) (string, error) { return "a second call", nil })
			if got != "first's answer" || !shared || err != nil {
				t.Errorf("who stayed: got %q, %v, %v, want the first call's answer", got, shared, err)
			}
		})
		wait(time.Second)
		leave(errGone)
		wg.Wait()

		// The last to go ends the call and waits for it; a new caller does not.
		last, leaveLast := context.WithTimeout(t.Context(), time.Second)
		defer leaveLast()
		wg.Go(func() {
			start := time.Now()
			_, _, err := s.Do(last, "b", func(ctx context.Context) (string, error) {
				<-ctx.Done()
				wait(5 * time.Second) // it takes its time to end
				return "", ctx.Err()
			})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 6*time.Second {
				t.Errorf("last: got %v after %v, want its deadline once the call has returned", err, time.Since(start))
			}
		})
		wait(2 * time.Second)
		if got, _, err := s.Do(t.Context(), "b", func(context.Context) (string, error) { return "new", nil }); got != "new" || err != nil {
			t.Errorf("new caller: got %q and %v, want a call of its own", got, err)
		}
		wg.Wait()
	})
}

func TestSingleFlightPassesPanicsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s resilience.SingleFlight[string, int]
		var wg sync.WaitGroup
		var panics atomic.Int64
		for range 3 {
			wg.Go(func() {
				defer func() {
					if recover() == "oops" {
						panics.Add(1)
					}
				}()
				_, _, _ = s.Do(t.Context(), "a", func(context.Context) (int, error) { wait(time.Second); panic("oops") })
			})
		}
		wg.Wait()
		if panics.Load() != 3 {
			t.Errorf("got %d panics, want one in each of 3 callers", panics.Load())
		}
		if _, _, err := s.Do(t.Context(), "a", func(context.Context) (int, error) { runtime.Goexit(); return 1, nil }); !resilience.IsPermanent(err) {
			t.Errorf("a function that ends its goroutine: got %v, want a permanent error", err)
		}
	})
}

func TestSingleFlightRefusesMisuse(t *testing.T) {
	var s resilience.SingleFlight[string, int]
	if _, _, err := s.Do(t.Context(), "a", nil); !resilience.IsPermanent(err) {
		t.Errorf("nil function: got %v, want a permanent error", err)
	}
	//nolint:staticcheck // a nil context is what this is about
	if _, _, err := s.Do(nil, "a", func(context.Context) (int, error) { return 1, nil }); !resilience.IsPermanent(err) {
		t.Errorf("nil context: got %v, want a permanent error", err)
	}
}

func ExampleSingleFlight() {
	var embeddings resilience.SingleFlight[string, int]
	value, shared, err := embeddings.Do(context.Background(), "the same text", func(context.Context) (int, error) {
		return 42, nil // asked for once, however many ask at the same time
	})
	fmt.Println(value, shared, err)
	// Output: 42 false <nil>
}

func BenchmarkSingleFlight(b *testing.B) {
	var s resilience.SingleFlight[string, int]
	fn := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = s.Do(b.Context(), "a", fn)
	}
}
