package resilience

import (
	"errors"
	"fmt"
	"time"
)

// ErrRejected matches, by errors.Is, every error that says the work was not
// tried at all: a breaker is open, a limit is reached, no slot is free. Such a
// failure says nothing about the work and should cost no attempt.
var ErrRejected = errors.New("rejected")

// RejectedError says why work was not tried and when to come back. It matches
// [ErrRejected].
type RejectedError struct {
	// Cause is what shut the way, in a few words fit for a metric label:
	// "breaker open", "rate limit", "no slot". It comes from a bounded set.
	Cause string

	// After is how long to wait before coming back; 0 means not known.
	After time.Duration

	// Err is the failure behind the rejection, for example the last error a
	// breaker saw. It may be nil.
	Err error
}

// Reject returns a [*RejectedError] of that cause. A negative after counts as 0,
// not known.
func Reject(cause string, after time.Duration) error {
	return &RejectedError{Cause: cause, After: max(after, 0)}
}

// Error names the cause, the failure behind it and when to come back, as far as
// they are known.
func (e *RejectedError) Error() string {
	msg := ErrRejected.Error()
	if e.Cause != "" {
		msg += ": " + e.Cause
	}
	if e.After > 0 {
		msg += fmt.Sprintf(" (come back in %s)", e.After)
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Is reports whether target is [ErrRejected].
func (e *RejectedError) Is(target error) bool { return target == ErrRejected }

// Unwrap returns the failure behind the rejection, if any.
func (e *RejectedError) Unwrap() error { return e.Err }

// RetryDelay returns After, and false when it is not known.
func (e *RejectedError) RetryDelay() (time.Duration, bool) { return max(e.After, 0), e.After > 0 }

// Permanent is false: what was not tried has not failed, whatever the failure
// behind the rejection was.
func (e *RejectedError) Permanent() bool { return false }
