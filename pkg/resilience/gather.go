package resilience

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Call is one of several things to ask for at once.
type Call[T any] struct {
	// Name is the call's, in outcomes and errors.
	Name string

	// Timeout bounds this call alone. Zero or less: no bound but the context's.
	Timeout time.Duration

	// Policy runs the call, within the timeout. Nil: none.
	Policy Policy

	// Do is the call.
	Do func(context.Context) (T, error)
}

// Gathered is how a [Call] went: a value, or an error.
type Gathered[T any] struct {
	Name     string
	Value    T
	Err      error
	Duration time.Duration
}

// Gather makes all calls at the same time and waits until each has returned. The
// outcomes are in the order of the calls, results and errors side by side, so a
// caller can proceed with what there is. One failure stops no other call; the
// end of ctx ends all. A panic in a call is raised again in the caller, after
// the other calls have returned.
//
// A nil context, a call without Do and one that ends its goroutine are permanent
// errors of that outcome.
func Gather[T any](ctx context.Context, calls ...Call[T]) []Gathered[T] {
	outcomes := make([]Gathered[T], len(calls))
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex
		panicked *raised
	)
	for i := range calls {
		wg.Go(func() {
			caught(func() error {
				outcomes[i] = calls[i].run(ctx)
				return nil
			}, func(err error, p *raised) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case p != nil:
					panicked = p
				case err != nil:
					outcomes[i] = Gathered[T]{Name: calls[i].Name, Err: err}
				}
			})
		})
	}
	wg.Wait()
	if panicked != nil {
		panic(panicked.value)
	}
	return outcomes
}

func (c Call[T]) run(ctx context.Context) Gathered[T] {
	start := time.Now()
	chain := Chain{Timeout{Limit: c.Timeout, Name: c.Name}}
	if c.Policy != nil {
		chain = append(chain, c.Policy)
	}
	value, err := Get(ctx, chain, c.Do)
	return Gathered[T]{Name: c.Name, Value: value, Err: err, Duration: time.Since(start)}
}

// GatheredErr joins the errors of the calls that failed, each with its name; nil
// when none did. Verdicts in them stay visible to errors.Is and errors.As.
func GatheredErr[T any](outcomes []Gathered[T]) error {
	var errs []error
	for _, o := range outcomes {
		if o.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", o.Name, o.Err))
		}
	}
	return errors.Join(errs...)
}
