package resilience

import (
	"context"
	"errors"
	"time"
)

// ErrTimeout matches, by errors.Is, the error of work that hit the bound of a
// [Timeout]. A caller's own deadline or cancellation does not match it.
var ErrTimeout = errors.New("timeout")

// Timeout is a [Policy] that bounds one execution. It is cooperative: when Limit
// has passed the context ends, and Do waits for the function to return. A
// function that succeeds nevertheless keeps its success.
//
// When the function fails after the bound was hit, the error is a
// [*TimeoutError] around the function's own, so a verdict in it stays visible.
// A function that asks for context.Cause meets the same type.
type Timeout struct {
	// Limit is how long one execution may take. Zero or less: no bound.
	Limit time.Duration

	// Name is what is bounded, in events.
	Name string

	// Observer is told of each bound that was hit.
	Observer Observer
}

// Do implements [Policy].
func (t Timeout) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	if t.Limit <= 0 {
		return next(ctx)
	}
	h := habitOf(t.Limit)
	over, err := h.run(ctx, next)
	if !over {
		habits.Put(h)
		return err
	}
	if t.Observer != nil {
		t.Observer(Event{Kind: EventTimeout, Policy: "timeout", Name: t.Name, Duration: t.Limit, Reason: "timeout", Err: err})
	}
	if errors.Is(err, &h.hit) {
		return err
	}
	return &TimeoutError{Limit: t.Limit, Err: err}
}

// TimeoutError says that work hit the bound of a [Timeout]. It matches
// [ErrTimeout] and context.DeadlineExceeded.
type TimeoutError struct {
	// Limit is the bound that was hit.
	Limit time.Duration

	// Err is what the function returned. It is nil when the error is met as the
	// cause of a context.
	Err error
}

// Error names the bound, and the function's own error when it says more than
// that its context ended.
func (e *TimeoutError) Error() string {
	msg := "timeout after " + e.Limit.String()
	if e.Err == nil || e.Err.Error() == context.DeadlineExceeded.Error() {
		return msg
	}
	return msg + ": " + e.Err.Error()
}

// Is reports whether target is [ErrTimeout] or context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// Unwrap returns what the function returned, if anything.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Timeout is true; it is the method of net.Error.
func (e *TimeoutError) Timeout() bool { return true }
