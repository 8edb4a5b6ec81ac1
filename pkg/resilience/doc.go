// Package resilience is the policy engine: it decides whether, when and for
// how long work is tried, and names what a failure means.
//
// A [Policy] wraps a [Func]; a [Chain] composes policies, outermost first:
//
//	chain := resilience.Chain{resilience.Timeout{Limit: 45 * time.Second}}
//	answer, err := resilience.Get(ctx, chain, func(ctx context.Context) (string, error) {
//		return ask(ctx, "...")
//	})
//
// # Verdicts
//
// What a failure means travels in the error itself, so that the code that
// fails never has to know about queues:
//
//   - [Permanent]: trying again cannot help.
//   - [RetryAfter]: try again, but not before the delay.
//   - [Reject]: nothing was tried, for example because a breaker is open or no
//     slot is free. It matches [ErrRejected], and should cost no attempt.
//   - any other error: retryable.
//
// # Rules every policy keeps
//
// A policy calls its function sequentially, and never after its own Do
// returned. Time bounds are cooperative: a policy ends the context and waits for
// the function to come back, so no goroutine is left behind. A policy is usable
// alone and is safe for concurrent use.
//
// # What it does not do
//
// It knows no broker, no agent and no HTTP. It starts no goroutines, logs
// nothing, exports no metrics and recovers no panics: a panic passes through
// every policy to the caller.
package resilience
