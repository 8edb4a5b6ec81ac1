package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"
)

// hang waits until its context ends and returns the context's error.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// wait does not look at any context. Inside a bubble it takes no real time.
func wait(d time.Duration) { <-time.After(d) }

func TestTimeout(t *testing.T) {
	const limit = 2 * time.Second
	tests := []struct {
		name  string
		work  resilience.Func
		err   string
		took  time.Duration
		timed bool
	}{
		{
			name: "work within the bound keeps its success",
			work: func(context.Context) error { wait(limit - 1); return nil },
			took: limit - 1,
		},
		{
			name: "work within the bound keeps its error",
			work: func(context.Context) error { return errBoom },
			err:  "boom",
		},
		{
			name: "a deadline of its own within the bound is no timeout",
			work: func(context.Context) error { return context.DeadlineExceeded },
			err:  "context deadline exceeded",
		},
		{
			name: "hitting the bound is a timeout that names it",
			work: hang,
			err:  "timeout after 2s", took: limit, timed: true,
		},
		{
			name: "a context's cause is the timeout",
			work: func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) },
			err:  "timeout after 2s", took: limit, timed: true,
		},
		{
			name: "a wrapped cause is not wrapped again",
			work: func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("ask: %w", context.Cause(ctx)) },
			err:  "ask: timeout after 2s", took: limit, timed: true,
		},
		{
			name: "an error after the bound keeps what it says",
			work: func(ctx context.Context) error { <-ctx.Done(); return errBoom },
			err:  "timeout after 2s: boom", took: limit, timed: true,
		},
		{
			name: "success after the bound is success",
			work: func(ctx context.Context) error { <-ctx.Done(); return nil },
			took: limit,
		},
		{
			name: "it is cooperative: Do waits for the work",
			work: func(ctx context.Context) error { wait(10 * limit); return ctx.Err() },
			err:  "timeout after 2s", took: 10 * limit, timed: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := resilience.Timeout{Limit: limit}.Do(t.Context(), tt.work)
				if took := time.Since(start); took != tt.took {
					t.Errorf("took: got %v, want %v", took, tt.took)
				}
				if got := message(err); got != tt.err {
					t.Errorf("error: got %q, want %q", got, tt.err)
				}
				if got := errors.Is(err, resilience.ErrTimeout); got != tt.timed {
					t.Errorf("errors.Is ErrTimeout: got %v, want %v, input %v", got, tt.timed, err)
				}
				if tt.timed && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("errors.Is context.DeadlineExceeded: got false, want true, input %v", err)
				}
			})
		})
	}
}

func TestTimeoutKeepsTheVerdictInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := resilience.Timeout{Limit: time.Second}.Do(t.Context(), func(ctx context.Context) error {
			return resilience.Permanent(hang(ctx))
		})
		if !resilience.IsPermanent(err) || !errors.Is(err, resilience.ErrTimeout) {
			t.Errorf("got permanent %v, timeout %v, want both, input %v",
				resilience.IsPermanent(err), errors.Is(err, resilience.ErrTimeout), err)
		}
	})
}

func TestTimeoutUnbounded(t *testing.T) {
	for _, limit := range []time.Duration{0, -time.Second} {
		err := resilience.Timeout{Limit: limit}.Do(t.Context(), func(ctx context.Context) error {
			if deadline, ok := ctx.Deadline(); ok {
				return fmt.Errorf("has deadline %v", deadline)
			}
			return nil
		})
		if err != nil {
			t.Errorf("limit %v: got %v, want no bound", limit, err)
		}
	}
}

func TestTimeoutNamesTheBoundThatWasHit(t *testing.T) {
	tests := []struct {
		name         string
		outer, inner time.Duration
		want         time.Duration
	}{
		{"the outer one", time.Second, time.Minute, time.Second},
		{"the inner one", time.Minute, time.Second, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chain := resilience.Chain{resilience.Timeout{Limit: tt.outer}, resilience.Timeout{Limit: tt.inner}}
				err := chain.Do(t.Context(), hang)
				var hit *resilience.TimeoutError
				if !errors.As(err, &hit) || hit.Limit != tt.want {
					t.Fatalf("got %v, want the bound %v", err, tt.want)
				}
				if want := "timeout after " + tt.want.String(); err.Error() != want {
					t.Errorf("got %q, want %q", err, want)
				}
			})
		})
	}
}

func TestTimeoutLeavesTheCallersOwnEndAlone(t *testing.T) {
	errDrain := errors.New("draining")
	tests := []struct {
		name string
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		{"a cancelled caller", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(errDrain)
			return ctx, func() {}
		}, context.Canceled},
		{"a caller's earlier deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				err := resilience.Timeout{Limit: time.Minute}.Do(ctx, hang)
				if !errors.Is(err, tt.want) || errors.Is(err, resilience.ErrTimeout) || message(err) != message(tt.want) {
					t.Errorf("got %v, want %v unchanged", err, tt.want)
				}
			})
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whoever kept the context learns that the work is over, and no timer is left.
func TestTimeoutEndsItsContextWithTheWork(t *testing.T) {
	for name, look := range map[string]func(context.Context){
		"looked at":     func(ctx context.Context) { ctx.Done() },
		"not looked at": func(context.Context) {},
	} {
		for kind, policy := range map[string]resilience.Policy{
			"timeout":  resilience.Timeout{Limit: time.Hour},
			"deadline": resilience.Deadline{Limit: time.Hour},
		} {
			var kept context.Context
			err := policy.Do(t.Context(), func(ctx context.Context) error {
				kept = ctx
				look(ctx)
				return ctx.Err()
			})
			if err != nil || !errors.Is(kept.Err(), context.Canceled) {
				t.Errorf("%s, %s: got %v, then %v, want a context that ended with the work", kind, name, err, kept.Err())
			}
			<-kept.Done()
		}
	}
}
