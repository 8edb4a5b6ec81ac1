package resilience

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Rung is one way to answer.
type Rung struct {
	// Name says what kind of answer this is: "primary", "fallback", "static".
	// No two rungs have the same.
	Name string

	// Policy runs the rung. It may be nil.
	Policy Policy

	// When says whether the rung may be tried now: nil for yes, otherwise why
	// not ("flag advanced_llm_features is off"). It must be quick, and a nil When
	// is always yes.
	When func(context.Context) error

	// MinTime is how much time the rung needs. With less left until the
	// deadline it is skipped. Zero: none.
	MinTime time.Duration

	// Func answers for this rung. It may be nil: then it is the function given
	// to Do.
	Func Func
}

// FallbackOptions describe a [Fallback].
type FallbackOptions struct {
	// Name is what the ladder is called in events.
	Name string

	// Rungs are the ways to answer, the best first; at least one.
	Rungs []Rung

	// Observer is told of each rung below the first that answered, of each that
	// failed and of each that was skipped. It may be nil.
	Observer Observer
}

// Fallback is a ladder: ordered ways to answer, tried one after the other until
// one does. A rung that fails, for whatever reason, leads to the next. One whose
// condition says no, or that cannot finish in the time left, is skipped. It stops
// when the context is done: the rungs below are not tried then.
//
// When no rung answers, the error is a [*FallbackError].
type Fallback struct {
	name     string
	rungs    []Rung
	observer Observer
	climbs   sync.Pool // of *climb
	shut     atomic.Pointer[shutRungs]
}

// Answer says which rung answered, and why those above it did not.
type Answer struct {
	// Rung is the name of the rung that answered and Index its place, from 0.
	// When none did they are "" and -1.
	Rung  string
	Index int

	// Passed says why each rung above did not answer, in order; nil when the
	// first did. It may be shared with other calls: do not change it.
	Passed []*RungError
}

// NewFallback returns a ladder, or everything wrong with its options.
func NewFallback(o FallbackOptions) (*Fallback, error) {
	p := problems{policy: "fallback"}
	p.unless(len(o.Rungs) > 0, "Rungs", "are missing; there must be at least one")
	seen := map[string]int{}
	for i, r := range o.Rungs {
		field := fmt.Sprintf("Rungs[%d].", i)
		p.unless(r.Name != "", field+"Name", "is missing")
		if first, taken := seen[r.Name]; taken && r.Name != "" {
			p.unless(false, field+"Name", "is %q, which is that of Rungs[%d] too", r.Name, first)
		} else {
			seen[r.Name] = i
		}
		p.unless(r.MinTime >= 0, field+"MinTime", "is %v; it must not be negative", r.MinTime)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	f := &Fallback{name: o.Name, rungs: append([]Rung(nil), o.Rungs...), observer: o.Observer}
	f.climbs.New = func() any { return newClimb(len(f.rungs)) }
	return f, nil
}

// Do implements [Policy]: rungs without a Func of their own run next.
func (f *Fallback) Do(ctx context.Context, next Func) error {
	_, err := f.climb(ctx, next, nil)
	return err
}

// Answer runs the ladder with one function for all rungs, which is told the
// rung's place, from 0, and says which rung answered. Rungs with a Func of their
// own run that.
func (f *Fallback) Answer(ctx context.Context, try func(ctx context.Context, rung int) error) (Answer, error) {
	if try == nil {
		return Answer{Index: -1}, errNilFunc()
	}
	c, _ := f.climbs.Get().(*climb)
	c.try = try
	answer, err := f.climb(ctx, c.funcs[0], c)
	c.try = nil
	f.climbs.Put(c) // not after a panic: then somebody may hold on to its functions
	return answer, err
}

// climb is one run of a ladder, with a function for each rung made once and used
// for many runs.
type climb struct {
	try   func(context.Context, int) error
	funcs []Func
}

func newClimb(rungs int) *climb {
	c := &climb{funcs: make([]Func, rungs)}
	for i := range c.funcs {
		c.funcs[i] = func(ctx context.Context) error { return c.try(ctx, i) }
	}
	return c
}

// climb tries the rungs with next, or with the functions of c.
func (f *Fallback) climb(ctx context.Context, next Func, c *climb) (Answer, error) {
	if err := usable(ctx, next); err != nil {
		return Answer{Index: -1}, err
	}
	passed := passage{last: f.shut.Load()}
	for i := range f.rungs {
		r := &f.rungs[i]
		if ctx.Err() != nil {
			f.pass(&passed, i, true, context.Cause(ctx))
			break
		}
		if err := r.skip(ctx); err != nil {
			f.pass(&passed, i, true, err)
			continue
		}
		fn := next
		switch {
		case r.Func != nil:
			fn = r.Func
		case c != nil:
			fn = c.funcs[i]
		}
		err := r.run(ctx, fn)
		if err == nil {
			if i > 0 && f.observer != nil {
				f.observer(Event{Kind: EventRung, Policy: "fallback", Name: f.name, Attempt: i + 1, Reason: r.Name})
			}
			return Answer{Rung: r.Name, Index: i, Passed: f.passed(&passed)}, nil
		}
		f.pass(&passed, i, false, err)
	}
	return f.refused(&passed)
}

func (r *Rung) run(ctx context.Context, fn Func) error {
	if r.Policy == nil {
		return fn(ctx)
	}
	return r.Policy.Do(ctx, fn)
}

// skip returns why the rung is not to be tried now, if so.
func (r *Rung) skip(ctx context.Context) error {
	if r.When != nil {
		if err := r.When(ctx); err != nil {
			return err
		}
	}
	if r.MinTime > 0 {
		if deadline, bounded := ctx.Deadline(); bounded {
			if left := time.Until(deadline); left < r.MinTime {
				return &shortError{needs: r.MinTime, left: left}
			}
		}
	}
	return nil
}

// pass notes, and reports, that rung i did not answer.
func (f *Fallback) pass(p *passage, i int, skipped bool, err error) {
	name := f.rungs[i].Name
	p.add(name, skipped, err)
	if f.observer != nil {
		kind := EventRung
		if skipped {
			kind = EventRungSkipped
		}
		f.observer(Event{Kind: kind, Policy: "fallback", Name: f.name, Attempt: i + 1, Reason: name, Err: err})
	}
}
