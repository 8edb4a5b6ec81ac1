package resilience

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// shortError says that too little time is left for a rung.
type shortError struct{ needs, left time.Duration }

func (e *shortError) Error() string {
	return fmt.Sprintf("needs %v and has %v", e.needs, max(e.left, 0))
}

// RungError says why a rung did not answer.
type RungError struct {
	// Rung is the rung's name.
	Rung string

	// Skipped is true when the rung was not tried; Err says why.
	Skipped bool
	Err     error
}

// Error names the rung and whether it was tried.
func (e *RungError) Error() string {
	if e.Skipped {
		return fmt.Sprintf("rung %s skipped: %v", e.Rung, e.Err)
	}
	return fmt.Sprintf("rung %s: %v", e.Rung, e.Err)
}

// Unwrap returns what the rung failed with, or why it was skipped.
func (e *RungError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrRejected] and the rung was skipped.
func (e *RungError) Is(target error) bool { return e.Skipped && target == ErrRejected }

// Permanent is true when what the rung failed with is; skipping is not.
func (e *RungError) Permanent() bool { return !e.Skipped && IsPermanent(e.Err) }

// FallbackError says why no rung answered. Its verdict speaks for all of them:
//
//   - permanent, only if every rung's error is;
//   - rejected ([ErrRejected]), only if every rung was skipped or rejected:
//     once a rung has tried, the work was tried;
//   - its delay is the shortest that a rung worth trying again asked for; among
//     rungs that tried, rejections are not asked.
//
// errors.Is and errors.As find what is in any of the rungs' errors.
type FallbackError struct {
	// Rungs says why each rung did not answer, in order.
	Rungs []*RungError

	errs      []error
	permanent bool
	delay     time.Duration
	asks      bool
}

// newFallbackError weighs what the rungs said; there is at least one.
func newFallbackError(rungs []*RungError) *FallbackError {
	e := &FallbackError{Rungs: rungs, permanent: true}
	rejected := true
	for _, r := range rungs {
		e.permanent = e.permanent && IsPermanent(r)
		rejected = rejected && errors.Is(r, ErrRejected)
	}
	for _, r := range rungs {
		if !rejected && errors.Is(r, ErrRejected) {
			e.errs = append(e.errs, triedError{r})
			continue
		}
		e.errs = append(e.errs, r)
		if delay, asks := RetryDelay(r); asks && !IsPermanent(r) {
			if !e.asks || delay < e.delay {
				e.delay = delay
			}
			e.asks = true
		}
	}
	return e
}

// Error is one line.
func (e *FallbackError) Error() string {
	said := make([]string, len(e.Rungs))
	for i, r := range e.Rungs {
		said[i] = r.Error()
	}
	return strings.Join(said, "; ")
}

// Unwrap returns the rungs' errors.
func (e *FallbackError) Unwrap() []error { return e.errs }

// Permanent reports whether every rung's error is.
func (e *FallbackError) Permanent() bool { return e.permanent }

// RetryDelay returns the shortest delay that a rung asked for, if any did.
func (e *FallbackError) RetryDelay() (time.Duration, bool) { return e.delay, e.asks }

// triedError hides that a rung rejected, and nothing else about its error:
// another rung of the same ladder did try.
type triedError struct{ err error }

func (e triedError) Error() string { return e.err.Error() }

func (e triedError) Is(target error) bool { return target != ErrRejected && errors.Is(e.err, target) }

func (e triedError) As(target any) bool {
	if _, asked := target.(**RejectedError); asked {
		return false
	}
	return errors.As(e.err, target)
}
