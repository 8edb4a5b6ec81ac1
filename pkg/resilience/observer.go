package resilience

import "time"

// EventKind says what a policy decided.
type EventKind string

// The kinds of event, each with the policy that reports it. They are fit for a
// metric label: the set is bounded.
const (
	EventAttempt         EventKind = "attempt"          // retry: an attempt ended (Attempt, Duration, Err; nil is success)
	EventRetry           EventKind = "retry"            // retry: another attempt follows after Delay (Attempt is the failed one)
	EventRetrySuppressed EventKind = "retry_suppressed" // retry: no other attempt follows, and Reason says why
	EventTrip            EventKind = "trip"             // breaker: opened (From, To, Reason, Delay until the next probe)
	EventProbe           EventKind = "probe"            // breaker: half-open, a trial call was let through
	EventClose           EventKind = "close"            // breaker: closed (From, To, Reason)
	EventStateChanged    EventKind = "state_changed"    // breaker: any other change of state, as open to half_open
	EventRejected        EventKind = "rejected"         // any: the call was not tried (Reason, Delay to come back)
	EventTimeout         EventKind = "timeout"          // timeout, deadline: a bound was hit (Duration is the bound)
	EventRung            EventKind = "rung"             // fallback: a rung answered or failed (Reason names the rung)
	EventRungSkipped     EventKind = "rung_skipped"     // fallback: a rung was not tried (Reason says which and why)
	EventHedge           EventKind = "hedge"            // hedge: a second call was started after Delay
	EventShared          EventKind = "shared"           // single-flight: a call joined one in flight
	EventChaos           EventKind = "chaos"            // chaos: a fault was injected (Reason names the scenario)
	EventLimitChanged    EventKind = "limit_changed"    // bulkhead, ratelimit: the limit moved (From, To)
)

// The states of a breaker, as the guide's stats, [Event.From] and [Event.To]
// spell them.
const (
	StateClosed   = "closed"
	StateOpen     = "open"
	StateHalfOpen = "half_open"
)

// Event is one decision of a policy. Fields that say nothing about a kind are
// zero.
type Event struct {
	Kind   EventKind
	Policy string // the kind of policy: "retry", "breaker", "bulkhead" and so on
	Name   string // the policy's own name: the dependency or agent it guards

	Attempt  int           // 1 is the first
	Delay    time.Duration // how long until the next attempt, probe or return
	Duration time.Duration // how long the thing took, or the bound that was hit

	From, To string // states of a breaker, or limits
	Reason   string // in a few words, from a bounded set
	Err      error  // the failure behind the decision; nil for none
}

// Observer is told of each decision of a policy, in the goroutine that made it.
// It is called concurrently, must not block, and must not call the policy
// back. A nil Observer observes nothing and costs nothing.
type Observer func(Event)

// JoinObservers returns an observer that tells each of those given, in their order,
// leaving out nil ones. Without any it is nil.
func JoinObservers(observers ...Observer) Observer {
	var told []Observer
	for _, o := range observers {
		if o != nil {
			told = append(told, o)
		}
	}
	switch len(told) {
	case 0:
		return nil
	case 1:
		return told[0]
	}
	return func(e Event) {
		for _, o := range told {
			o(e)
		}
	}
}

// observe reports e, if anybody looks.
func (o Observer) observe(e Event) {
	if o != nil {
		o(e)
	}
}
