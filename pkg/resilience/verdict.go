package resilience

import (
	"errors"
	"time"
)

// Permanent marks err as final: trying again cannot help. The mark survives
// wrapping with %w; the message and everything errors.Is and errors.As find in
// err stay the same. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err is final. The outermost error in err's tree
// that has a method Permanent() bool decides, so an error that gathers several
// failures can speak for all of them. Without one, err is retryable.
func IsPermanent(err error) bool {
	var verdict interface{ Permanent() bool }
	return errors.As(err, &verdict) && verdict.Permanent()
}

// RetryAfter marks err as retryable, though not before d has passed. The mark
// survives wrapping with %w. A negative d counts as 0: try again at once.
// RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, max(d, 0)}
}

// RetryDelay returns how long err asks its caller to wait before the next try,
// and whether it asks at all; without a wish the caller's own [Backoff] applies.
// The outermost error in err's tree that has a method
// RetryDelay() (time.Duration, bool) decides; errors made by [RetryAfter] and
// [Reject] have one.
func RetryDelay(err error) (time.Duration, bool) {
	var verdict interface{ RetryDelay() (time.Duration, bool) }
	if !errors.As(err, &verdict) {
		return 0, false
	}
	return verdict.RetryDelay()
}

type permanentError struct{ err error }

func (e *permanentError) Error() string   { return e.err.Error() }
func (e *permanentError) Unwrap() error   { return e.err }
func (e *permanentError) Permanent() bool { return true }

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// Permanent is false: the outermost verdict counts, and it says try again.
func (e *retryAfterError) Permanent() bool { return false }

func (e *retryAfterError) RetryDelay() (time.Duration, bool) { return e.after, true }
