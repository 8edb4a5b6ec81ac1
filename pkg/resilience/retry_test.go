package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// script is work that fails as written, and then succeeds.
type script struct {
	errs []error
	took time.Duration
	made int
}

func (s *script) do(context.Context) error {
	wait(s.took)
	s.made++
	if s.made > len(s.errs) {
		return nil
	}
	return s.errs[s.made-1]
}

var errValue = errors.New("bad value")

func TestRetry(t *testing.T) {
	tests := []struct {
		name     string
		options  resilience.RetryOptions
		errs     []error
		deadline time.Duration
		attempts int
		took     time.Duration
		err      error
		reason   string
	}{
		{name: "success is not tried again", attempts: 1},
		{
			name: "two transient failures are two retries, 1 s and 2 s later",
			errs: []error{errBoom, errBoom}, attempts: 3, took: 3 * time.Second,
		},
		{
			name: "the zero value gives up after three attempts",
			errs: []error{errBoom, errBoom, errValue}, attempts: 3, took: 3 * time.Second, err: errValue, reason: "attempts used up",
		},
		{
			name: "a permanent verdict is final",
			errs: []error{resilience.Permanent(errBoom)}, attempts: 1, err: errBoom, reason: "permanent",
		},
		{
			name:    "what is not in RetryOn is final",
			options: resilience.RetryOptions{RetryOn: []resilience.Class{resilience.ErrorsLike(errBoom)}},
			errs:    []error{errBoom, errValue}, attempts: 2, took: time.Second, err: errValue, reason: "not retryable",
		},
		{
			name:    "what is in DontRetryOn is final",
			options: resilience.RetryOptions{DontRetryOn: []resilience.Class{resilience.ErrorsLike(errValue)}},
			errs:    []error{errBoom, errValue}, attempts: 2, took: time.Second, err: errValue, reason: "not retryable",
		},
		{
			name: "Retry-After is honoured when it is longer",
			errs: []error{resilience.RetryAfter(errBoom, 7*time.Second)}, attempts: 2, took: 7 * time.Second,
		},
		{
			name: "Retry-After does not shorten the wait",
			errs: []error{resilience.RetryAfter(errBoom, 0)}, attempts: 2, took: time.Second,
		},
		{
			name:    "who asks for a time to come back is in RetryOn",
			options: resilience.RetryOptions{RetryOn: []resilience.Class{resilience.ErrorsLike(errValue)}},
			errs:    []error{resilience.RetryAfter(errBoom, 7*time.Second)}, attempts: 2, took: 7 * time.Second,
		},
		{
			name: "a wait beyond MaxDelay is left to others",
			errs: []error{resilience.RetryAfter(errBoom, 31*time.Second)}, attempts: 1, err: errBoom, reason: "wait too long",
		},
		{
			name: "a rejection is waited for when it says how long",
			errs: []error{resilience.Reject("rate limit", 2*time.Second)}, attempts: 2, took: 2 * time.Second,
		},
		{
			name: "a rejection that does not say is handed on",
			errs: []error{resilience.Reject("no slot", 0)}, attempts: 1, err: resilience.ErrRejected, reason: "rejected",
		},
		{
			name: "an open breaker is left to others",
			errs: []error{resilience.Reject("breaker open", time.Minute)}, attempts: 1, err: resilience.ErrRejected, reason: "wait too long",
		},
		{
			name: "no wait reaches the deadline",
			errs: []error{errBoom, errBoom}, deadline: 3 * time.Second, attempts: 2, took: time.Second, err: errBoom, reason: "deadline too near",
		},
		{
			name:    "waits grow by the factor up to MaxDelay",
			options: resilience.RetryOptions{MaxAttempts: 6, InitialDelay: 500 * time.Millisecond, BackoffFactor: 1.5, MaxDelay: time.Second},
			errs:    slices.Repeat([]error{errBoom}, 5), attempts: 6, took: (500 + 750 + 1000 + 1000 + 1000) * time.Millisecond,
		},
		{
			name:    "the preset for remote interfaces retries a lost connection",
			options: unjittered(resilience.APICalls()),
			errs:    []error{io.ErrUnexpectedEOF, context.DeadlineExceeded}, attempts: 3, took: 3 * time.Second,
		},
		{
			name:    "the preset for remote interfaces retries nothing else",
			options: unjittered(resilience.APICalls()),
			errs:    []error{errBoom}, attempts: 1, err: errBoom, reason: "not retryable",
		},
		{
			name:    "the preset for databases makes five attempts, the first again after 0.1 s",
			options: unjittered(resilience.Database()),
			errs:    slices.Repeat([]error{errBoom}, 4), attempts: 5, took: 1500 * time.Millisecond,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				var seen events
				var retried []int
				failed := 0
				tt.options.Observer = seen.observe
				tt.options.OnRetry = func(_ error, attempt int) { retried = append(retried, attempt) }
				tt.options.OnFailure = func(err error, attempts int) {
					if failed = attempts; !errors.Is(err, tt.err) {
						t.Errorf("on failure: got %v, want %v", err, tt.err)
					}
				}
				work := script{errs: tt.errs}
				start := time.Now()
				err := newRetry(t, tt.options).Do(ctx, work.do)
				if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Errorf("error: got %v, want %v", err, tt.err)
				}
				if work.made != tt.attempts || time.Since(start) != tt.took {
					t.Errorf("got %d attempts in %v, want %d in %v", work.made, time.Since(start), tt.attempts, tt.took)
				}
				if len(retried) != tt.attempts-1 {
					t.Errorf("on retry: got attempts %v, want %d of them", retried, tt.attempts-1)
				}
				if want := tt.attempts; tt.err != nil && failed != want || tt.err == nil && failed != 0 {
					t.Errorf("on failure: got %d attempts, want %d", failed, want)
				}
				last := seen.kinds()[len(seen.seen)-1]
				if want := "retry_suppressed: " + tt.reason; tt.reason != "" && last != want {
					t.Errorf("last event: got %q, want %q", last, want)
				}
			})
		})
	}
}

func unjittered(o resilience.RetryOptions) resilience.RetryOptions {
	o.Jitter = false
	return o
}

func TestRetryStopsWaitingWhenTheCallerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errDrain := errors.New("draining")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(300*time.Millisecond, func() { cancel(errDrain) })
		start := time.Now()
		err := newRetry(t, resilience.RetryOptions{}).Do(ctx, fail)
		if !errors.Is(err, errBoom) || !errors.Is(err, errDrain) || time.Since(start) != 300*time.Millisecond {
			t.Errorf("got %v after %v, want the failure and the cause after 300ms", err, time.Since(start))
		}
	})
}

func TestRetryTellsOfASuppressedRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		retry := newRetry(t, resilience.RetryOptions{
			Name: "ask", MaxAttempts: 9, InitialDelay: 1, MaxDelay: 1, Budget: newBudget(t, resilience.BudgetOptions{}), Observer: seen.observe,
		})
		err := retry.Do(t.Context(), fail)
		if !errors.Is(err, errBoom) {
			t.Errorf("got %v, want the failure itself", err)
		}
		want := []string{"attempt", "retry", "attempt", "retry", "attempt", "retry", "attempt", "retry_suppressed: budget used up"}
		if got := seen.kinds(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if last := seen.seen[len(seen.seen)-1]; last.Name != "ask" || last.Policy != "retry" || last.Attempt != 4 || !errors.Is(last.Err, errBoom) {
			t.Errorf("got %+v, want the policy, its name, the attempt and the failure", last)
		}
	})
}

// A rejection loads nobody, so waiting for it costs no budget.
func TestRetryOfARejectionCostsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, resilience.BudgetOptions{})
		retry := newRetry(t, resilience.RetryOptions{MaxAttempts: 10, InitialDelay: 1, Budget: budget})
		work := script{errs: slices.Repeat([]error{resilience.Reject("rate limit", 1)}, 9)}
		if err := retry.Do(t.Context(), work.do); err != nil || budget.Stats().Retries != 0 {
			t.Errorf("got %v, %+v, want success and nothing spent", err, budget.Stats())
		}
	})
}

func TestRetryOptionsAreRefusedAllAtOnce(t *testing.T) {
	tests := []struct {
		name    string
		options resilience.RetryOptions
		want    []string
	}{
		{"negative values", resilience.RetryOptions{MaxAttempts: -1, InitialDelay: -1, MaxDelay: -1, BackoffFactor: -1}, []string{"MaxAttempts", "InitialDelay", "MaxDelay", "BackoffFactor"}},
		{"max below initial", resilience.RetryOptions{InitialDelay: 2, MaxDelay: 1}, []string{"MaxDelay"}},
		{"a factor that shrinks, or is none", resilience.RetryOptions{BackoffFactor: math.NaN()}, []string{"BackoffFactor"}},
		{"classes that are nil", resilience.RetryOptions{RetryOn: []resilience.Class{nil}, DontRetryOn: []resilience.Class{resilience.AnyError, nil}}, []string{"RetryOn[0]", "DontRetryOn[1]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := resilience.NewRetry(tt.options)
			for _, field := range tt.want {
				if !strings.Contains(message(err), "retry: "+field+" ") {
					t.Errorf("got %v, want it to name %s", err, field)
				}
			}
		})
	}
}

// retryModel says how many attempts a script gets, how long they take, and
// whether the last one failed.
func retryModel(o resilience.RetryOptions, s *script, deadline time.Duration) (attempts int, took time.Duration, failed bool) {
	delay := func(attempt int) time.Duration {
		d := float64(o.InitialDelay) * math.Pow(o.BackoffFactor, float64(attempt-1))
		return time.Duration(min(d, float64(o.MaxDelay)))
	}
	for attempt := 1; ; attempt++ {
		took += s.took
		if attempt > len(s.errs) {
			return attempt, took, false
		}
		err := s.errs[attempt-1]
		next := delay(attempt)
		after, asks := resilience.RetryDelay(err)
		next = max(next, after)
		final := resilience.IsPermanent(err) || errors.Is(err, errValue) || errors.Is(err, resilience.ErrRejected) && !asks
		if final || attempt == o.MaxAttempts || after > o.MaxDelay || took+next >= deadline {
			return attempt, took, true
		}
		took += next
	}
}

func TestRetryBehavesAsItsModel(t *testing.T) {
	inBubble(t, func(ctx context.Context, t *rapid.T) {
		ms := func(name string, low, high int) time.Duration {
			return time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Millisecond
		}
		o := resilience.RetryOptions{
			MaxAttempts:   rapid.IntRange(1, 6).Draw(t, "attempts"),
			InitialDelay:  ms("initial", 1, 1000),
			BackoffFactor: rapid.Float64Range(1, 4).Draw(t, "factor"),
			DontRetryOn:   []resilience.Class{resilience.ErrorsLike(errValue)},
		}
		o.MaxDelay = o.InitialDelay + ms("max above initial", 0, 3000)
		s := &script{took: ms("work", 0, 500)}
		for range rapid.IntRange(0, 7).Draw(t, "failures") {
			s.errs = append(s.errs, rapid.SampledFrom([]error{
				errBoom, errBoom, fmt.Errorf("ask: %w", resilience.Permanent(errBoom)), errValue,
				resilience.RetryAfter(errBoom, ms("after", 0, 3000)), resilience.Reject("busy", ms("rejected", 0, 2000)),
			}).Draw(t, "failure"))
		}
		deadline := ms("deadline", 1, 20_000)
		attempts, took, failed := retryModel(o, s, deadline)
		if took >= deadline {
			t.Skip("the work itself passes the deadline")
		}
		ctx, cancel := context.WithTimeout(ctx, deadline)
		defer cancel()
		start := time.Now()
		err := newRetry(t, o).Do(ctx, s.do)
		if s.made != attempts || time.Since(start) != took || (err != nil) != failed {
			t.Fatalf("got %d attempts in %v, %v, want %d in %v, failed %v", s.made, time.Since(start), err, attempts, took, failed)
		}
	})
}
