package resilience

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxHedges bounds how many more calls one call may cost.
const maxHedges = 10

// errSlower is the cause with which the context of a hedged call ends when
// another call has answered.
var errSlower = errors.New("another call answered")

// HedgeOptions describe a [Hedge].
type HedgeOptions struct {
	// Name is the dependency's, in events.
	Name string

	// Delay is how long a call may take before another one like it is started.
	// It should be longer than most calls take.
	Delay time.Duration

	// Max is how many more calls there may be, each Delay after the last. Zero:
	// 1.
	Max int

	// Budget pays for the calls beyond the first, as it does for retries. Nil:
	// they cost nothing.
	Budget *Budget

	// Deposited says that a [Retry] with the same Budget is around, which
	// counts the calls already.
	Deposited bool

	// Observer is told of each call beyond the first, and of each for which the
	// budget had nothing left. It may be nil.
	Observer Observer
}

// Hedge says when [Hedged] starts a second call beside a slow first one.
type Hedge struct{ o HedgeOptions }

// NewHedge returns a hedge, or everything wrong with its options.
func NewHedge(o HedgeOptions) (*Hedge, error) {
	if o.Max == 0 {
		o.Max = 1
	}
	p := problems{policy: "hedge"}
	p.unless(o.Delay > 0, "Delay", "is %v; it must be above 0", o.Delay)
	p.unless(0 < o.Max && o.Max <= maxHedges, "Max", "is %d; it must be within 1 and %d", o.Max, maxHedges)
	p.unless(!o.Deposited || o.Budget != nil, "Deposited", "is true without a Budget")
	if err := p.err(); err != nil {
		return nil, err
	}
	return &Hedge{o: o}, nil
}

// Hedged calls fn, and calls it again beside the first when that takes longer
// than the hedge's delay; the first success counts, and ends the context of the
// others. It is a function and not a [Policy], because its calls run at the same
// time: fn must be safe for that, and worth its price twice.
//
// It hedges against slowness, not failure: once a call has failed, no other is
// started, and those that run may still answer. When all fail, the error
// joins theirs. A permanent error ends them all.
//
// It returns when every call has; they should end soon after their context does.
// A panic in any call is raised again in the caller. A nil hedge, context or
// function is a permanent error.
func Hedged[T any](ctx context.Context, h *Hedge, fn func(context.Context) (T, error)) (T, error) {
	var zero T
	switch {
	case h == nil:
		return zero, Permanent(errors.New("resilience: the hedge is nil; call the function itself for none"))
	case fn == nil:
		return zero, errNilFunc()
	}
	if err := hasContext(ctx); err != nil {
		return zero, err
	}
	if !h.o.Deposited {
		h.o.Budget.Deposit()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &race[T]{hedge: h, fn: fn, end: func() { cancel(errSlower) }}
	r.arm(ctx)
	defer func() { // also when fn panics
		r.end()
		r.wait()
	}()
	value, err := fn(ctx)
	r.finish(value, err, nil)
	r.wait()

	switch {
	case r.panic != nil:
		panic(r.panic.value)
	case r.won:
		return r.value, nil
	case len(r.errs) == 1:
		return zero, r.errs[0]
	}
	return zero, errors.Join(r.errs...)
}

// race is one Hedged: the first call runs in the caller, the others in the
// goroutines of timers, so that nothing but a timer is started for a call that
// is fast enough.
type race[T any] struct {
	hedge *Hedge
	fn    func(context.Context) (T, error)
	end   func()         // ends the context of all calls
	calls sync.WaitGroup // the timer, and calls that it started

	mu      sync.Mutex
	timer   *time.Timer
	started int  // calls beyond the first
	closed  bool // no more may start
	won     bool
	value   T
	errs    []error
	panic   *raised
}

// arm sets the timer for the next call.
func (r *race[T]) arm(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.started == r.hedge.o.Max {
		return
	}
	r.calls.Add(1)
	r.timer = time.AfterFunc(r.hedge.o.Delay, func() {
		defer r.calls.Done()
		if !r.start() {
			return
		}
		r.arm(ctx)
		var value T
		caught(func() (err error) {
			value, err = r.fn(ctx)
			return err
		}, func(err error, p *raised) { r.finish(value, err, p) })
	})
}

// start reports whether the call whose time has come may be made.
func (r *race[T]) start() bool {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return false
	}
	o := &r.hedge.o
	event := Event{Kind: EventHedge, Policy: "hedge", Name: o.Name, Delay: o.Delay}
	ok := o.Budget.Spend()
	if !ok {
		event.Kind, event.Reason = EventRetrySuppressed, suppressedBudget
	}
	r.mu.Lock()
	if ok {
		r.started++
	}
	event.Attempt = r.started + 1
	r.mu.Unlock()
	o.Observer.observe(event)
	return ok
}

// finish notes how a call went.
func (r *race[T]) finish(value T, err error, p *raised) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	switch {
	case p != nil:
		r.panic = p
	case err != nil:
		r.errs = append(r.errs, err)
	case !r.won:
		r.won, r.value = true, value
	}
	if p != nil || r.won || IsPermanent(err) {
		r.end()
	}
}

// wait returns when the timer has been stopped and every call has returned.
func (r *race[T]) wait() {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil && r.timer.Stop() {
		r.calls.Done()
	}
	r.timer = nil
	r.mu.Unlock()
	r.calls.Wait()
}
