package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func mustHedge(t testing.TB, o resilience.HedgeOptions) *resilience.Hedge {
	t.Helper()
	h, err := resilience.NewHedge(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// hedgedCall is how one call of the model behaves when nobody ends it.
type hedgedCall struct {
	takes time.Duration
	err   error
}

// The model plays the calls on paper: each starts Delay after the one before,
// until one has ended; the earliest success is the answer, in its time.
func TestHedgedAgainstAModel(t *testing.T) {
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		const delay = 10*time.Second + time.Nanosecond // never in the moment in which a call ends
		most := rapid.IntRange(1, 3).Draw(rt, "max")
		var calls []hedgedCall
		for range most + 1 {
			calls = append(calls, hedgedCall{
				takes: time.Duration(rapid.IntRange(1, 40).Draw(rt, "takes, s")) * time.Second,
				err:   rapid.SampledFrom([]error{nil, nil, errBoom, resilience.Permanent(errBoom)}).Draw(rt, "err"),
			})
		}
		started, stop := 0, time.Duration(1<<62) // on paper: no call starts after stop
		winner, won := -1, time.Duration(1<<62)
		final := time.Duration(1 << 62)
		end := time.Duration(0)
		for i, c := range calls {
			at := time.Duration(i) * delay
			if at >= min(stop, final) {
				break
			}
			started++
			stop = min(stop, at+c.takes)
			if c.err == nil && at+c.takes < won {
				winner, won = i, at+c.takes
			}
			if resilience.IsPermanent(c.err) {
				final = min(final, at+c.takes)
			}
			end = max(end, at+c.takes)
		}
		if final < won {
			winner = -1
		}

		var mu sync.Mutex
		made := 0
		start := time.Now()
		got, err := resilience.Hedged(t.Context(), mustHedge(t, resilience.HedgeOptions{Delay: delay, Max: most}),
			func(ctx context.Context) (int, error) {
				mu.Lock()
				i := made
				made++
				mu.Unlock()
				select {
				case <-time.After(calls[i].takes):
					return i, calls[i].err
				case <-ctx.Done():
					return i, context.Cause(ctx)
				}
			})
		if made != started {
			rt.Fatalf("got %d calls, want %d", made, started)
		}
		if winner >= 0 && (err != nil || got != winner || time.Since(start) != won) {
			rt.Fatalf("got call %d and %v after %v, want call %d after %v", got, err, time.Since(start), winner, won)
		}
		if winner < 0 && (!errors.Is(err, errBoom) || time.Since(start) != min(end, final)) {
			rt.Fatalf("got %v after %v, want a failure after %v", err, time.Since(start), min(end, final))
		}
	})
}

func TestHedgedKeepsTheFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		got, err := resilience.Hedged(t.Context(), mustHedge(t, resilience.HedgeOptions{Delay: time.Second}),
			func(context.Context) (int64, error) { // looks at no context
				i := calls.Add(1) - 1
				wait(time.Duration(5-3*i) * time.Second)
				return i, nil
			})
		if got != 1 || err != nil {
			t.Errorf("got call %d and %v, want call 1, which was first", got, err)
		}
	})
}

func TestHedgedIsChargedToTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, err := resilience.NewBudget(resilience.BudgetOptions{MinPerSecond: 3})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		kinds := map[resilience.EventKind]int{}
		h := mustHedge(t, resilience.HedgeOptions{Delay: time.Second, Budget: budget, Observer: func(e resilience.Event) {
			mu.Lock()
			defer mu.Unlock()
			kinds[e.Kind]++
		}})
		var wg sync.WaitGroup
		calls := 0
		for range 10 {
			wg.Go(func() {
				_, _ = resilience.Hedged(t.Context(), h, func(ctx context.Context) (int, error) {
					mu.Lock()
					calls++
					mu.Unlock()
					wait(5 * time.Second)
					return 0, nil
				})
			})
		}
		wg.Wait()
		if calls != 13 || kinds[resilience.EventHedge] != 3 || kinds[resilience.EventRetrySuppressed] != 7 {
			t.Errorf("got %d calls and %v, want 13 calls: 3 hedges and 7 suppressed", calls, kinds)
		}
		if s := budget.Stats(); s.Calls != 10 || s.Retries != 3 {
			t.Errorf("budget: got %+v, want 10 calls and 3 retries", s)
		}
	})
}

func TestHedgedRaisesPanicsInTheCaller(t *testing.T) {
	for _, culprit := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			calls, ended := 0, 0
			defer func() {
				if got := recover(); got != "oops" || ended != 1 {
					t.Errorf("call %d panics: got %v and %d others ended, want oops and 1", culprit, got, ended)
				}
			}()
			_, _ = resilience.Hedged(t.Context(), mustHedge(t, resilience.HedgeOptions{Delay: time.Second}),
				func(ctx context.Context) (int, error) {
					mu.Lock()
					i := calls
					calls++
					mu.Unlock()
					if i == culprit {
						wait(2 * time.Second)
						panic("oops")
					}
					<-ctx.Done()
					ended++
					return 0, ctx.Err()
				})
		})
	}
}

func TestHedgeRefusesWhatCannotWork(t *testing.T) {
	_, err := resilience.NewHedge(resilience.HedgeOptions{Max: -1, Deposited: true})
	wantFields(t, err, "hedge: Delay is 0s", "hedge: Max is -1", "hedge: Deposited is true without a Budget")
	h := mustHedge(t, resilience.HedgeOptions{Delay: time.Second})
	work := func(context.Context) (int, error) { return 1, nil }
	if _, err := resilience.Hedged(t.Context(), nil, work); !resilience.IsPermanent(err) {
		t.Errorf("nil hedge: got %v, want a permanent error", err)
	}
	if _, err := resilience.Hedged[int](t.Context(), h, nil); !resilience.IsPermanent(err) {
		t.Errorf("nil function: got %v, want a permanent error", err)
	}
	//nolint:staticcheck // a nil context is what this is about
	if _, err := resilience.Hedged(nil, h, work); !resilience.IsPermanent(err) {
		t.Errorf("nil context: got %v, want a permanent error", err)
	}
}

func ExampleHedged() {
	hedge, err := resilience.NewHedge(resilience.HedgeOptions{Name: "embeddings", Delay: 20 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	calls := make(chan int, 2)
	calls <- 1
	calls <- 2
	answer, err := resilience.Hedged(context.Background(), hedge, func(ctx context.Context) (string, error) {
		n := <-calls
		if n == 1 { // a call that hangs
			<-ctx.Done()
			return "", ctx.Err()
		}
		return fmt.Sprint("answer of call ", n), nil
	})
	fmt.Println(answer, err)
	// Output: answer of call 2 <nil>
}

func BenchmarkHedged(b *testing.B) {
	h := mustHedge(b, resilience.HedgeOptions{Delay: time.Minute})
	fn := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	for b.Loop() {
		_, _ = resilience.Hedged(b.Context(), h, fn)
	}
}
