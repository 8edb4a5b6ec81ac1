package resilience

import (
	"context"
	"errors"
	"time"
)

// Why there is no further attempt: [Event.Reason] of [EventRetrySuppressed].
const (
	suppressedDone      = "context done"
	suppressedPermanent = "permanent"
	suppressedClass     = "not retryable"
	suppressedRejected  = "rejected"
	suppressedAttempts  = "attempts used up"
	suppressedTooLong   = "wait too long"
	suppressedDeadline  = "deadline too near"
	suppressedBudget    = "budget used up"
)

// decide says how long to wait before the next attempt, or the reason why there
// is none. Only a retry that everything else allows is asked of the budget.
func (r *Retry) decide(ctx context.Context, err error, attempt int) (time.Duration, string) {
	o := &r.options
	rejected := errors.Is(err, ErrRejected)
	asked, asks := RetryDelay(err)
	switch {
	case ctx.Err() != nil:
		return 0, suppressedDone
	case IsPermanent(err):
		return 0, suppressedPermanent
	case inAny(o.DontRetryOn, err):
		return 0, suppressedClass
	case rejected && !asks:
		return 0, suppressedRejected
	case !asks && len(o.RetryOn) > 0 && !inAny(o.RetryOn, err):
		return 0, suppressedClass
	case attempt >= o.MaxAttempts:
		return 0, suppressedAttempts
	case asked > o.MaxDelay:
		return asked, suppressedTooLong
	}
	delay := max(asked, r.backoff.Delay(attempt))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return delay, suppressedDeadline
	}
	if !rejected && !o.Budget.Spend() {
		return delay, suppressedBudget
	}
	return delay, ""
}
