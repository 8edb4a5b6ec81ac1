package resilience

import (
	"context"
	"fmt"
	"time"
)

// The zero [RetryOptions]' values; InitialDelay and BackoffFactor are those of
// [Backoff].
const (
	defaultMaxAttempts   = 3
	defaultRetryMaxDelay = 30 * time.Second
)

// RetryOptions say what is tried again, how often and when. The zero value makes
// three attempts, 1 s and 2 s apart, whatever the error.
type RetryOptions struct {
	// Name is the operation, in events.
	Name string

	// MaxAttempts counts the first one too. Zero: 3. One: no retry.
	MaxAttempts int

	// InitialDelay is the wait after the first failure. Zero: 1 s.
	InitialDelay time.Duration

	// MaxDelay bounds each wait. A dependency that asks for a longer one is not
	// tried again here: short waits in process, long ones where nothing is held
	// meanwhile. Zero: 30 s, or InitialDelay when that is longer.
	MaxDelay time.Duration

	// BackoffFactor multiplies the wait after each further failure. Zero: 2.
	BackoffFactor float64

	// Jitter spreads each wait evenly over half to one and a half of itself.
	Jitter bool

	// RetryOn lists what is tried again; empty: everything. DontRetryOn comes
	// first, and verdicts before both: what is permanent is never tried again,
	// and what asks for a time to come back (see [RetryAfter]) is, unless it is
	// in DontRetryOn.
	RetryOn     []Class
	DontRetryOn []Class

	// OnRetry is called before each wait with the failure and the number of the
	// attempt that failed. Nil: nobody is told.
	OnRetry func(err error, attempt int)

	// OnFailure is called when there will be no further attempt, with the last
	// failure and the number of attempts made. Nil: nobody is told.
	OnFailure func(err error, attempts int)

	// Budget bounds the retries of all who share it. Nil: no bound.
	Budget *Budget

	// Observer is told of each attempt, each retry and each one suppressed.
	Observer Observer
}

// APICalls is the guide's preset for remote interfaces: three attempts, 1 s and
// then 2 s apart, with jitter, and only when the connection failed or timed out.
func APICalls() RetryOptions {
	return RetryOptions{
		MaxAttempts: 3, InitialDelay: time.Second, MaxDelay: 30 * time.Second, BackoffFactor: 2, Jitter: true,
		RetryOn: []Class{ConnectionFailed, TimedOut},
	}
}

// Database is the guide's preset for databases: five attempts with jitter, the
// first again after 0.1 s.
func Database() RetryOptions {
	return RetryOptions{MaxAttempts: 5, InitialDelay: 100 * time.Millisecond, MaxDelay: 5 * time.Second, BackoffFactor: 2, Jitter: true}
}

// Retry is a [Policy] that tries again. It returns the error of the last
// attempt as it is, so verdicts in it stay visible.
//
// It waits as its options and the failure's own [RetryAfter] say, whichever is
// longer, and never past the context's deadline: when the wait would end later,
// it returns at once. A rejection was no attempt: it is tried again only when it
// says when to come back, and neither costs budget nor adds to it.
type Retry struct {
	options RetryOptions
	backoff Backoff
}

// NewRetry returns a retry policy, or all that is wrong with its options.
func NewRetry(o RetryOptions) (*Retry, error) {
	setDefault(&o.MaxAttempts, defaultMaxAttempts)
	setDefault(&o.InitialDelay, defaultInitialDelay)
	setDefault(&o.MaxDelay, max(defaultRetryMaxDelay, o.InitialDelay))
	setDefault(&o.BackoffFactor, defaultFactor)
	p := problems{policy: "retry"}
	p.unless(o.MaxAttempts > 0, "MaxAttempts", "%d is negative", o.MaxAttempts)
	p.unless(o.InitialDelay > 0 && o.InitialDelay <= longestTime, "InitialDelay", "%v is negative or beyond %v", o.InitialDelay, longestTime)
	p.unless(o.MaxDelay > 0 && o.MaxDelay <= longestTime, "MaxDelay", "%v is negative or beyond %v", o.MaxDelay, longestTime)
	p.unless(o.MaxDelay >= o.InitialDelay, "MaxDelay", "%v is below InitialDelay %v", o.MaxDelay, o.InitialDelay)
	p.unless(o.BackoffFactor >= 1, "BackoffFactor", "%v is below 1", o.BackoffFactor)
	for _, list := range []struct {
		field   string
		classes []Class
	}{{"RetryOn", o.RetryOn}, {"DontRetryOn", o.DontRetryOn}} {
		for i, class := range list.classes {
			p.unless(class != nil, fmt.Sprintf("%s[%d]", list.field, i), "is nil")
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return &Retry{
		options: o,
		backoff: Backoff{InitialDelay: o.InitialDelay, MaxDelay: o.MaxDelay, Factor: o.BackoffFactor, Jitter: o.Jitter},
	}, nil
}

// Do implements [Policy].
func (r *Retry) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	deposited := false
	for attempt := 1; ; attempt++ {
		err := r.attempt(ctx, next, attempt)
		var v verdict
		if err != nil {
			v = verdictOf(err)
		}
		if !deposited && !v.rejected {
			r.options.Budget.Deposit()
			deposited = true
		}
		if err == nil {
			return nil
		}
		delay, reason := r.decide(ctx, err, v, attempt)
		if reason != "" {
			return r.stop(err, attempt, delay, reason)
		}
		r.again(err, attempt, delay)
		if !waited(ctx, delay) {
			return r.stop(fmt.Errorf("%w; stopped waiting to retry: %w", err, context.Cause(ctx)), attempt, 0, suppressedDone)
		}
	}
}

func (r *Retry) attempt(ctx context.Context, next Func, attempt int) error {
	if r.options.Observer == nil {
		return next(ctx)
	}
	start := time.Now()
	err := next(ctx)
	r.observe(Event{Kind: EventAttempt, Attempt: attempt, Duration: time.Since(start), Err: err})
	return err
}

func (r *Retry) again(err error, attempt int, delay time.Duration) {
	r.observe(Event{Kind: EventRetry, Attempt: attempt, Delay: delay, Err: err})
	if r.options.OnRetry != nil {
		r.options.OnRetry(err, attempt)
	}
}

func (r *Retry) stop(err error, attempt int, delay time.Duration, reason string) error {
	r.observe(Event{Kind: EventRetrySuppressed, Attempt: attempt, Delay: delay, Reason: reason, Err: err})
	if r.options.OnFailure != nil {
		r.options.OnFailure(err, attempt)
	}
	return err
}

func (r *Retry) observe(e Event) {
	if r.options.Observer != nil {
		e.Policy, e.Name = "retry", r.options.Name
		r.options.Observer(e)
	}
}

// waited waits; false means that the context ended first.
func waited(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
