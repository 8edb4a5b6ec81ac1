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
func (r *Retry) decide(ctx context.Context, err error, v verdict, attempt int) (time.Duration, string) {
	o := &r.options
	switch {
	case ctx.Err() != nil:
		return 0, suppressedDone
	case v.permanent:
		return 0, suppressedPermanent
	case inAny(o.DontRetryOn, err):
		return 0, suppressedClass
	case v.rejected && !v.asks:
		return 0, suppressedRejected
	case !v.asks && len(o.RetryOn) > 0 && !inAny(o.RetryOn, err):
		return 0, suppressedClass
	case attempt >= o.MaxAttempts:
		return 0, suppressedAttempts
	case v.asked > o.MaxDelay:
		return v.asked, suppressedTooLong
	}
	delay := max(v.asked, r.backoff.Delay(attempt))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return delay, suppressedDeadline
	}
	if !v.rejected && !o.Budget.Spend() {
		return delay, suppressedBudget
	}
	return delay, ""
}

// verdict is what an error says about itself.
type verdict struct {
	rejected, permanent bool
	asks                bool // for a time to come back
	asked               time.Duration
}

// verdictOf looks into err. What a policy of this package rejected comes as it
// is, and is answered without a search, which allocates: an outage brings a
// rejection with every call.
func verdictOf(err error) verdict {
	if rejection, plain := err.(*RejectedError); plain { //nolint:errorlint // see above; the search follows
		asked, asks := rejection.RetryDelay()
		return verdict{rejected: true, asks: asks, asked: asked}
	}
	asked, asks := RetryDelay(err)
	return verdict{rejected: errors.Is(err, ErrRejected), permanent: IsPermanent(err), asks: asks, asked: asked}
}
