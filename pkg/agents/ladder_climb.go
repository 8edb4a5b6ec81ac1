package agents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"genesis/pkg/resilience"
)

// CauseBudget is the cause of the rejection of a task that was delivered again, and for
// which the provider's budget had nothing left.
const CauseBudget = "retry budget"

// budgetDelay is about when a task comes back that was delivered again and for which
// the provider's budget has nothing left. It is longer than a budget looks back.
const budgetDelay = 10 * time.Second

// A climb is one task on a ladder.
type climb struct {
	ladder  *Ladder
	task    Task
	result  Result
	retries int // attempts that repeated one, on any rung
}

// try tries rung i.
func (c *climb) try(ctx context.Context, i int) error {
	rung := &c.ladder.rungs[i]
	if c.task.Redelivered && !rung.Budget.Redelivered() {
		return resilience.Reject(CauseBudget, resilience.Backoff{InitialDelay: budgetDelay, Jitter: true}.Delay(1))
	}
	call := func(ctx context.Context) error {
		result, err := rung.Agent.Handle(ctx, c.task)
		if err == nil {
			c.result = result
		}
		return err
	}
	attempts, last := 0, error(nil)
	attempt := func(ctx context.Context) error {
		err := run(ctx, rung.Attempt, call)
		if err != nil && errors.Is(err, resilience.ErrRejected) {
			return err
		}
		if attempts++; attempts > 1 {
			c.retries++
		}
		last = err
		return err
	}
	err := run(ctx, rung.Policy, attempt)
	if err != nil && last != nil && errors.Is(err, resilience.ErrRejected) {
		// What was tried has cost an attempt: otherwise a request that always fails
		// could open its breaker, come back as the probe, and so on without end.
		return fmt.Errorf("%w; not tried again: %v", last, err) //nolint:errorlint // its verdict is the one not to be seen
	}
	return err
}

func run(ctx context.Context, p resilience.Policy, next resilience.Func) error {
	if p == nil {
		return next(ctx)
	}
	return p.Do(ctx, next)
}
