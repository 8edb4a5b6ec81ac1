package resilience

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// bound is a context with a deadline that costs nothing to those who do not wait
// for it: the timer, the channel and the place in the parent's list of children
// are made when Done is first asked for, or the context found to have ended.
// Most work that succeeds asks for neither. For everybody else it is
// context.WithDeadlineCause.
type bound struct {
	parent context.Context //nolint:containedctx // it is a context itself
	at     time.Time
	cause  error

	started atomic.Bool
	ended   atomic.Bool

	mu sync.Mutex // held while these are made; once started is true they stay

	// The real context, and what ends it.
	ctx    context.Context //nolint:containedctx // part of a context
	cancel context.CancelFunc
}

func newBound(parent context.Context, at time.Time, cause error) *bound {
	return &bound{parent: parent, at: at, cause: cause}
}

// start makes the real context, as it would be had it been there all the time.
func (b *bound) start() context.Context {
	if b.started.Load() {
		return b.ctx
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.started.Load() {
		return b.ctx
	}
	switch {
	case b.ended.Load():
		b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(b.parent))
		b.cancel()
	case b.endedFirst():
		b.ctx, b.cancel = context.WithDeadlineCause(context.WithoutCancel(b.parent), b.at, b.cause)
	default:
		b.ctx, b.cancel = context.WithDeadlineCause(b.parent, b.at, b.cause)
	}
	b.started.Store(true)
	if b.ended.Load() { // end may not have seen that there is something to release
		b.cancel()
	}
	return b.ctx
}

// endedFirst says whether the deadline has passed and the parent, if it has
// ended as well, did so by a later deadline.
func (b *bound) endedFirst() bool {
	if time.Now().Before(b.at) {
		return false
	}
	if b.parent.Err() == nil {
		return true
	}
	later, ok := b.parent.Deadline()
	return ok && b.at.Before(later) && !Canceled(b.parent.Err())
}

// end releases what was made. A context that was not looked at, and whose parent
// had not ended, counts as canceled from then on.
func (b *bound) end() {
	if !b.started.Load() && b.parent.Err() != nil {
		b.start()
	}
	b.ended.Store(true)
	if b.started.Load() {
		b.cancel()
	}
}

// Deadline implements context.Context.
func (b *bound) Deadline() (time.Time, bool) {
	if earlier, ok := b.parent.Deadline(); ok && earlier.Before(b.at) {
		return earlier, true
	}
	return b.at, true
}

// Done implements context.Context.
func (b *bound) Done() <-chan struct{} { return b.start().Done() }

// Err implements context.Context.
func (b *bound) Err() error {
	if !b.started.Load() && !b.over() {
		return nil
	}
	return b.start().Err()
}

func (b *bound) over() bool {
	return b.ended.Load() || b.parent.Err() != nil || !time.Now().Before(b.at)
}

// Value implements context.Context. It is through the real context that package
// context finds the cause; it asks for the error or for Done first, so there is
// one by then.
func (b *bound) Value(key any) any {
	if b.started.Load() {
		return b.ctx.Value(key)
	}
	return b.parent.Value(key)
}
