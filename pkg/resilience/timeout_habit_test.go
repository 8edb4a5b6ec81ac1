package resilience_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"
)

// Whether earlier work looked at its context or not, the bound is the same.
func TestTimeoutIsTheSameWhateverWorkDidBefore(t *testing.T) {
	looks := func(ctx context.Context) error { ctx.Done(); return nil }
	for name, before := range map[string][]resilience.Func{
		"nothing before":            nil,
		"work that did not look":    {pass, pass},
		"work that looked":          {looks, looks},
		"work that looked, and not": {looks, pass, pass},
		"work that looks now":       {pass, looks},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := &events{}
				limit := resilience.Timeout{Limit: time.Second, Observer: seen.observe}
				for _, work := range before {
					if err := limit.Do(t.Context(), work); err != nil {
						t.Fatal(err)
					}
				}
				var within context.Context
				start := time.Now()
				err := limit.Do(t.Context(), func(ctx context.Context) error {
					within = ctx
					if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(start.Add(time.Second)) {
						t.Errorf("deadline: got %v, want 1s from now", deadline.Sub(start))
					}
					<-ctx.Done()
					return ctx.Err()
				})
				var hit *resilience.TimeoutError
				if !errors.Is(err, resilience.ErrTimeout) || time.Since(start) != time.Second {
					t.Errorf("got %v after %v, want the timeout after 1s", err, time.Since(start))
				}
				if !errors.As(context.Cause(within), &hit) || hit.Limit != time.Second || hit.Err != nil {
					t.Errorf("cause: got %v, want the timeout", context.Cause(within))
				}
				if got := seen.kinds(); len(got) != 1 || got[0] != "timeout: timeout" {
					t.Errorf("events: got %v, want the timeout once", got)
				}
				if err := limit.Do(t.Context(), func(ctx context.Context) error { within = ctx; return nil }); err != nil {
					t.Errorf("afterwards: got %v, want nil", err)
				}
				if !errors.Is(within.Err(), context.Canceled) {
					t.Errorf("afterwards: got a context that ended with %v, want it canceled", within.Err())
				}
			})
		})
	}
}

// An equal bound further out is left to the policy it is of, although both hand
// on what they have in common.
func TestTimeoutLeavesAnEqualOneFurtherOutAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 3 { // with what the one before left
			outer, inner := &events{}, &events{}
			chain := resilience.Chain{
				resilience.Timeout{Limit: time.Second, Observer: outer.observe},
				delay(time.Millisecond),
				resilience.Timeout{Limit: time.Second, Observer: inner.observe},
			}
			if err := chain.Do(t.Context(), func(ctx context.Context) error { ctx.Done(); return nil }); err != nil {
				t.Fatal(err)
			}
			err := chain.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return errBoom })
			if message(err) != "timeout after 1s: boom" || len(outer.kinds()) != 1 || len(inner.kinds()) != 0 {
				t.Errorf("got %v, outer %v, inner %v, want the outer timeout", err, outer.kinds(), inner.kinds())
			}
		}
	})
}

// delay is a policy that waits before it calls.
type delay time.Duration

func (d delay) Do(ctx context.Context, next resilience.Func) error {
	wait(time.Duration(d))
	return next(ctx)
}
