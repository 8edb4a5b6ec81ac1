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
// A nil context, and a call without Do, are permanent errors of that outcome.
func Gather[T any](ctx context.Context, calls ...Call[T]) []Gathered[T] {
	outcomes := make([]Gathered[T], len(calls))
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex
		panicked any
	)
	for i := range calls {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					mu.Lock()
					defer mu.Unlock()
					panicked = p
				}
			}()
			outcomes[i] = calls[i].run(ctx)
		})
	}
	wg.Wait()
	if panicked != nil {
		panic(panicked)
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
