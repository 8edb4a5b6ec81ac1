package resilience

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Func is the work a [Policy] guards. It should return soon after its context
// is done; nothing else can stop it.
type Func func(context.Context) error

// Policy runs work under a rule. Do calls next zero or more times, one call
// after the other and never after it returned, and passes it ctx or a child of
// ctx. Do is safe for concurrent use. Its error is that of the last call, or the
// policy's own. Whoever writes a policy keeps these rules: a [Chain] relies on them.
type Policy interface {
	Do(ctx context.Context, next Func) error
}

// Chain is a [Policy] made of policies, outermost first: Chain{a, b} runs
// a(b(next)). An empty or nil Chain just calls next. A nil policy in it, or a nil
// next, is a permanent error and nothing is run.
type Chain []Policy

// Do implements [Policy].
func (c Chain) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	for i, p := range c {
		if p == nil {
			return Permanent(fmt.Errorf("resilience: policy %d of %d in the chain is nil", i+1, len(c)))
		}
	}
	switch len(c) {
	case 0:
		return next(ctx)
	case 1:
		return c[0].Do(ctx, next)
	}
	d, _ := descents.Get().(*descent)
	d.chain, d.next, d.depth = c, next, 0
	err := d.down(ctx)
	d.chain, d.next = nil, nil
	descents.Put(d) // not after a panic: then somebody may hold on to its step
	return err
}

// descent is one call on its way through a chain. All policies of it are given
// the same step, which knows how deep it is: calls are sequential and never
// outlive the Do they were made in, so there is one depth at a time, and the
// next call may have the same descent.
type descent struct {
	chain Chain
	next  Func
	step  Func
	depth int
}

// descents spares a call through a chain its only two allocations.
var descents = sync.Pool{New: func() any { //nolint:gochecknoglobals // memory to write on, not state; a Chain has no place for it
	d := &descent{}
	d.step = d.down
	return d
}}

func (d *descent) down(ctx context.Context) error {
	depth := d.depth
	d.depth++
	defer func() { d.depth = depth }() // also after a panic that a policy recovers
	if depth == len(d.chain)-1 {
		return d.chain[depth].Do(ctx, d.next)
	}
	return d.chain[depth].Do(ctx, d.step)
}

// Get runs fn under p and returns its value. With an error the value is the zero
// T, even when fn returned one beside its error. One policy serves every T. A
// nil p or fn is a permanent error and nothing is run.
func Get[T any](ctx context.Context, p Policy, fn func(context.Context) (T, error)) (T, error) {
	var value, zero T
	switch {
	case p == nil:
		return zero, Permanent(errors.New("resilience: the policy is nil; use an empty Chain for none"))
	case fn == nil:
		return zero, errNilFunc()
	}
	err := p.Do(ctx, func(ctx context.Context) error {
		var err error
		value, err = fn(ctx)
		return err
	})
	if err != nil {
		return zero, err
	}
	return value, nil
}

// errNilFunc is permanent: no retry turns a programming mistake into work.
func errNilFunc() error { return Permanent(errors.New("resilience: the function to run is nil")) }
