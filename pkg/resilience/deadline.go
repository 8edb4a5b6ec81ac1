package resilience

import (
	"context"
	"errors"
	"time"
)

// ErrDeadline matches, by errors.Is, the error of work that hit the bound of a
// [Deadline].
var ErrDeadline = errors.New("deadline")

// Deadline is a [Policy] that bounds all of the work: every attempt, every wait
// between them. It belongs outside of a [Retry], as [Timeout] belongs inside.
// Bounds further in cascade: none reaches beyond this one, because a context
// ends with its parent. It is cooperative like [Timeout].
//
// Work that fails after the bound was hit returns a [*DeadlineError] around its
// own error; context.Cause names the same type. Work whose deadline has passed
// before it begins is not begun.
type Deadline struct {
	// Limit is how long the work may take. Zero or less: no such bound.
	Limit time.Duration

	// At is when the work must be done, at the latest. Zero: no such bound. The
	// earlier one of both counts.
	At time.Time

	// Name and Observer tell of a bound that was hit.
	Name     string
	Observer Observer
}

// due is a bound with the error it ends with: one allocation for both.
type due struct {
	bound
	hit DeadlineError
}

// Do implements [Policy].
func (d Deadline) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	if d.Limit <= 0 && d.At.IsZero() {
		return next(ctx)
	}
	now := time.Now()
	within := &due{bound: bound{parent: ctx}, hit: DeadlineError{Limit: d.Limit, At: d.At}}
	hit := &within.hit
	at := d.At
	if d.Limit > 0 && (at.IsZero() || now.Add(d.Limit).Before(at)) {
		at, hit.At = now.Add(d.Limit), time.Time{}
	} else {
		hit.Limit = 0
	}
	if !now.Before(at) {
		d.observe(hit)
		return hit
	}
	within.at, within.cause = at, hit
	defer within.end()

	err := next(&within.bound)                                       //nolint:contextcheck // it is ctx's child
	if err == nil || !errors.Is(context.Cause(&within.bound), hit) { //nolint:contextcheck // as above
		return err
	}
	d.observe(hit)
	if errors.Is(err, hit) {
		return err
	}
	return &DeadlineError{Limit: hit.Limit, At: hit.At, Err: err}
}

func (d Deadline) observe(hit *DeadlineError) {
	if d.Observer != nil {
		d.Observer(Event{Kind: EventTimeout, Policy: "deadline", Name: d.Name, Duration: hit.Limit, Reason: "deadline", Err: hit})
	}
}

// Remaining is want, or what is left until ctx's deadline when that is less. It
// is never negative. With it a step can be given its own bound and still say
// truly how long it may take.
func Remaining(ctx context.Context, want time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		want = min(want, time.Until(deadline))
	}
	return max(want, 0)
}

// DeadlineError says that work hit the bound of a [Deadline]. It matches
// [ErrDeadline] and context.DeadlineExceeded, not [ErrTimeout].
type DeadlineError struct {
	// Limit or At is the bound that was hit; the other one is zero.
	Limit time.Duration
	At    time.Time

	// Err is what the function returned; nil when it was not called or the error
	// is met as the cause of a context.
	Err error
}

// Error names the bound, and the function's own error when it says more than
// that its context ended.
func (e *DeadlineError) Error() string {
	msg := "deadline after " + e.Limit.String()
	if !e.At.IsZero() {
		msg = "deadline " + e.At.Format(time.RFC3339)
	}
	if e.Err == nil || e.Err.Error() == context.DeadlineExceeded.Error() {
		return msg
	}
	return msg + ": " + e.Err.Error()
}

// Is reports whether target is [ErrDeadline] or context.DeadlineExceeded.
func (e *DeadlineError) Is(target error) bool {
	return target == ErrDeadline || target == context.DeadlineExceeded
}

// Unwrap returns what the function returned, if anything.
func (e *DeadlineError) Unwrap() error { return e.Err }

// Timeout is true; it is the method of net.Error.
func (e *DeadlineError) Timeout() bool { return true }
