package resilience

import (
	"context"
	"errors"
	"sync"
	"time"
)

// habit is what calls with one limit have in common, handed on from one to the
// next: the error they end with, and whether the work looks at its context. A
// [bound] costs those who do not look a sixth, and those who do one allocation
// more than a plain context, so they are given that.
type habit struct {
	hit   TimeoutError // never changes once it was used; no two calls at a time have the same
	waits bool         // the work looked at its context
	calls uint8        // without finding out whether it still does
}

// lookAgain is after how many calls it is found out again.
const lookAgain = 64

// habits spares a timeout the allocation of its error.
var habits = sync.Pool{New: func() any { return &habit{} }} //nolint:gochecknoglobals // memory to write on; a Timeout is a value and has no place for it

func habitOf(limit time.Duration) *habit {
	h, _ := habits.Get().(*habit)
	if h.hit.Limit != limit {
		h = &habit{hit: TimeoutError{Limit: limit}}
	}
	return h
}

// run runs next within the limit, and says whether it failed because of it.
func (h *habit) run(ctx context.Context, next Func) (over bool, err error) {
	if h.waits && h.calls < lookAgain {
		h.calls++
		within, cancel := context.WithTimeoutCause(ctx, h.hit.Limit, &h.hit)
		defer cancel()
		err = next(within)
		return err != nil && h.ended(within), err
	}
	within := newBound(ctx, time.Now().Add(h.hit.Limit), &h.hit)
	defer within.end()
	err = next(within) //nolint:contextcheck // it is ctx's child
	h.waits, h.calls = within.started.Load(), 0
	return err != nil && h.ended(within), err //nolint:contextcheck // as above
}

// ended says whether ctx hit the limit. An earlier bound further out is left to
// the policy it is of.
func (h *habit) ended(ctx context.Context) bool { return errors.Is(context.Cause(ctx), &h.hit) }
