package agents

import (
	"errors"
	"strings"
	"time"

	"genesis/pkg/resilience"
)

// ladderError gathers what the rungs of a ladder said and speaks for all of
// them.
type ladderError struct {
	errs      []error
	permanent bool
	delay     time.Duration
	asks      bool
}

// newLadderError weighs errs, of which there is at least one.
func newLadderError(errs []error) *ladderError {
	e := &ladderError{errs: errs, permanent: true}
	rejected := true
	for _, err := range errs {
		e.permanent = e.permanent && resilience.IsPermanent(err)
		rejected = rejected && isRejected(err)
	}
	for i, err := range errs {
		if isRejected(err) && !rejected {
			errs[i] = tried{err}
			continue
		}
		if delay, asks := resilience.RetryDelay(err); asks && !resilience.IsPermanent(err) {
			if !e.asks || delay < e.delay {
				e.delay = delay
			}
			e.asks = true
		}
	}
	return e
}

func isRejected(err error) bool { return errors.Is(err, resilience.ErrRejected) }

// Error is one line, so that it fits a header.
func (e *ladderError) Error() string {
	said := make([]string, len(e.errs))
	for i, err := range e.errs {
		said[i] = err.Error()
	}
	return strings.Join(said, "; ")
}

func (e *ladderError) Unwrap() []error { return e.errs }

func (e *ladderError) Permanent() bool { return e.permanent }

func (e *ladderError) RetryDelay() (time.Duration, bool) { return e.delay, e.asks }

// tried hides that a rung rejected, and nothing else about its error: another
// rung of the same ladder did try.
type tried struct{ err error }

func (e tried) Error() string { return e.err.Error() }

func (e tried) Is(target error) bool {
	return target != resilience.ErrRejected && errors.Is(e.err, target)
}

func (e tried) As(target any) bool {
	if _, asked := target.(**resilience.RejectedError); asked {
		return false
	}
	return errors.As(e.err, target)
}
