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
// # Policies
//
// Outermost first, as they belong in a chain:
//
//   - [Fallback] is a ladder: ways to answer, each with policies of its own.
//   - [Deadline] bounds all of the work, every attempt and every wait.
//   - [Retry] tries again, within a [Budget] shared by all who call a dependency.
//   - [Breaker] stops calling a dependency that fails; every attempt counts for it.
//     [Breakers] is the registry, [Ballot] lets replicas decide together.
//   - [RateLimit] bounds how often calls start, [SharedRateLimit] on all replicas
//     together.
//   - [Bulkhead] bounds how many run at once; [AdaptiveBulkhead] finds out how many
//     may. Bulkheads may be shared: see [CheckOrder].
//   - [Timeout] bounds one attempt.
//   - [ChaosPolicy] injects the faults of a [Chaos].
//
// [Gather] makes several calls at once, [SingleFlight] one call for several
// callers, and [Hedged] a second call beside a slow first one. Every decision of
// a policy is reported to its [Observer].
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
// It knows no broker, no agent and no HTTP. It logs nothing, exports no metrics
// and swallows no panics: a panic passes through every policy to the caller. It
// leaves no goroutine behind: the few it starts end before the last call that waits
// for them returns.
package resilience
