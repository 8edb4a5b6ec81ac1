package bus

import (
	"context"
	"errors"
	"time"

	"genesis/pkg/resilience"
)

// A Verdict is what one delivery of a request came to. It decides how the message is
// settled.
type Verdict string

// The verdicts.
const (
	VerdictSuccess   Verdict = "success"
	VerdictRetryable Verdict = "retryable" // failed, attempts are left
	VerdictRejected  Verdict = "rejected"  // not executed: breaker open, limit, no slot
	VerdictDraining  Verdict = "draining"  // the worker shuts down
	VerdictHeld      Verdict = "held"      // put back: its outcome could not be stored, or it must run alone
	VerdictPermanent Verdict = "permanent"
	VerdictExhausted Verdict = "exhausted"
	VerdictMalformed Verdict = "malformed"
	VerdictPanic     Verdict = "panic"
	VerdictPoison    Verdict = "poison"
	VerdictExpired   Verdict = "expired"   // past its deadline
	VerdictAnswered  Verdict = "answered"  // its result is there already
	VerdictDuplicate Verdict = "duplicate" // another message with the same id is answered
)

// errExpired is the cause of the context of an execution whose request passed its deadline.
var errExpired = errors.New("the request is past its deadline")

// errPoison is why a request is not executed again.
var errPoison = errors.New("its worker died at each execution")

// classify turns what an execution returned into a verdict. attempt is the number of
// the execution, of at most maxAttempts.
func classify(ctx context.Context, err error, attempt, maxAttempts int) Verdict {
	var panicked *PanicError
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		return VerdictSuccess
	case errors.As(err, &panicked):
		return VerdictPanic
	case errors.Is(cause, ErrCancelled):
		return VerdictAnswered
	case errors.Is(cause, errExpired):
		return VerdictExpired
	case errors.Is(cause, ErrDraining):
		return VerdictDraining
	case resilience.IsPermanent(err):
		return VerdictPermanent
	case errors.Is(err, resilience.ErrRejected):
		return VerdictRejected
	case attempt >= maxAttempts:
		return VerdictExhausted
	}
	return VerdictRetryable
}

// code is the result's error code of a failure.
func code(v Verdict, err error) Code {
	switch v {
	case VerdictMalformed:
		return CodeMalformed
	case VerdictPoison:
		return CodePoison
	case VerdictExpired:
		return CodeExpired
	case VerdictPanic:
		return CodeInternal
	case VerdictRejected:
		return CodeRejected
	case VerdictPermanent:
		if errors.Is(err, ErrTooLarge) {
			return CodeTooLarge
		}
		return CodePermanent
	case VerdictExhausted:
		if errors.Is(err, resilience.ErrTimeout) {
			return CodeTimeout
		}
		return CodeExhausted
	case VerdictSuccess, VerdictRetryable, VerdictDraining, VerdictHeld, VerdictAnswered, VerdictDuplicate:
	}
	return CodeInternal
}

// deadReason is the reason of the dead letter that a verdict leads to; empty when it
// leads to none.
func deadReason(v Verdict) string {
	switch v {
	case VerdictPermanent:
		return DeadPermanent
	case VerdictExhausted:
		return DeadExhausted
	case VerdictMalformed:
		return DeadMalformed
	case VerdictPanic:
		return DeadPanic
	case VerdictPoison:
		return DeadPoison
	case VerdictSuccess, VerdictRetryable, VerdictRejected, VerdictDraining, VerdictHeld,
		VerdictExpired, VerdictAnswered, VerdictDuplicate:
	}
	return ""
}

// retryDelay is how long a message waits before it comes back.
func retryDelay(v Verdict, err error, failures int, backoff resilience.Backoff) time.Duration {
	asked, known := resilience.RetryDelay(err)
	switch v {
	case VerdictRetryable:
		delay := backoff.Delay(failures)
		if known {
			return max(asked, delay)
		}
		return delay
	case VerdictRejected:
		if known && asked > 0 {
			return asked
		}
		return defaultRejectDelay
	case VerdictHeld:
		if known {
			return asked
		}
		return holdDelay
	case VerdictDraining, VerdictSuccess, VerdictPermanent, VerdictExhausted, VerdictMalformed,
		VerdictPanic, VerdictPoison, VerdictExpired, VerdictAnswered, VerdictDuplicate:
	}
	return 0
}

const (
	// defaultRejectDelay is when to come back after a rejection that does not say.
	defaultRejectDelay = time.Second
	// holdDelay is when to come back to a message whose outcome could not be stored.
	holdDelay = 5 * time.Second
	// suspectDelay is about when to come back to a request that has to run alone: a
	// worker's death makes suspects of all that it held, good ones too.
	suspectDelay = time.Second
)
