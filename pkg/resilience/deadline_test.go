package resilience_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"
)

func TestDeadlineBoundsAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		retry := newRetry(t, resilience.RetryOptions{MaxAttempts: 100, InitialDelay: time.Second, BackoffFactor: 1})
		chain := resilience.Chain{
			resilience.Deadline{Limit: 10 * time.Second, Observer: seen.observe}, retry, resilience.Timeout{Limit: 3 * time.Second, Observer: seen.observe},
		}
		start := time.Now()
		var left []time.Duration
		err := chain.Do(t.Context(), func(ctx context.Context) error {
			left = append(left, resilience.Remaining(ctx, time.Hour))
			return hang(ctx)
		})
		if want := []time.Duration{3 * time.Second, 3 * time.Second, 2 * time.Second}; !slices.Equal(left, want) {
			t.Errorf("bounds of the attempts: got %v, want %v", left, want)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took: got %v, want 10s", took)
		}
		if !errors.Is(err, resilience.ErrDeadline) || errors.Is(err, resilience.ErrTimeout) || message(err) != "deadline after 10s" {
			t.Errorf("got %v, want the deadline and not the timeout", err)
		}
		if want := []string{"timeout: timeout", "timeout: timeout", "timeout: deadline"}; !slices.Equal(seen.kinds(), want) {
			t.Errorf("events: got %q, want %q", seen.kinds(), want)
		}
	})
}

func TestDeadline(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where virtual time begins
	tests := []struct {
		name     string
		deadline resilience.Deadline
		work     resilience.Func
		err      string
		took     time.Duration
	}{
		{name: "none is no bound", work: func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); ok {
				return errors.New("bounded")
			}
			return nil
		}},
		{name: "work in time keeps its error", deadline: resilience.Deadline{Limit: time.Minute}, work: fail, err: "boom"},
		{name: "a limit is named", deadline: resilience.Deadline{Limit: time.Minute}, work: hang, err: "deadline after 1m0s", took: time.Minute},
		{name: "a time is named", deadline: resilience.Deadline{At: start.Add(time.Minute)}, work: hang, err: "deadline 2000-01-01T00:01:00Z", took: time.Minute},
		{name: "the earlier one counts: the limit", deadline: resilience.Deadline{Limit: time.Second, At: start.Add(time.Minute)}, work: hang, err: "deadline after 1s", took: time.Second},
		{name: "the earlier one counts: the time", deadline: resilience.Deadline{Limit: time.Hour, At: start.Add(time.Minute)}, work: hang, err: "deadline 2000-01-01T00:01:00Z", took: time.Minute},
		{name: "what is past is not begun", deadline: resilience.Deadline{At: start}, work: func(context.Context) error { return errors.New("begun") }, err: "deadline 2000-01-01T00:00:00Z"},
		{name: "an error after the bound keeps what it says", deadline: resilience.Deadline{Limit: time.Second}, work: func(ctx context.Context) error { <-ctx.Done(); return errBoom }, err: "deadline after 1s: boom", took: time.Second},
		{name: "success after the bound is success", deadline: resilience.Deadline{Limit: time.Second}, work: func(ctx context.Context) error { <-ctx.Done(); return nil }, took: time.Second},
		{name: "a cause is not wrapped again", deadline: resilience.Deadline{Limit: time.Second}, work: func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, err: "deadline after 1s", took: time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				if err := tt.deadline.Do(t.Context(), tt.work); message(err) != tt.err {
					t.Errorf("got %q, want %q", message(err), tt.err)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("took: got %v, want %v", took, tt.took)
				}
			})
		})
	}
}

func TestRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := resilience.Remaining(ctx, time.Minute); got != time.Second {
			t.Errorf("got %v, want what is left", got)
		}
		if got := resilience.Remaining(ctx, time.Millisecond); got != time.Millisecond {
			t.Errorf("got %v, want what was asked for", got)
		}
		wait(time.Minute)
		if got := resilience.Remaining(ctx, time.Minute); got != 0 {
			t.Errorf("got %v, want nothing left", got)
		}
		if got := resilience.Remaining(t.Context(), time.Minute); got != time.Minute {
			t.Errorf("without a deadline: got %v, want what was asked for", got)
		}
	})
}
