package telemetry

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// Agent counts what became of the deliveries of one agent. Its labels are looked
// up beforehand, so that counting costs well under a microsecond.
type Agent struct {
	methods      *bounded[methodHandles]
	wait         *durations
	retries      prometheus.Counter
	timeouts     prometheus.Counter
	redeliveries prometheus.Counter
	deadLetters  map[bus.Verdict]prometheus.Counter
	degraded     *bounded[prometheus.Counter]
	rejected     *bounded[prometheus.Counter]
	window       *window
}

// methodHandles are the metrics of one method of an agent.
type methodHandles struct {
	success, failure, expired, cancelled prometheus.Counter
	duration                             *durations
}

// Agent returns the counters of an agent. What is certain to be asked for is there
// with its zero from the start, so that a rate sees the first event.
func (w *Worker) Agent(name string) *Agent {
	a := &Agent{
		wait:         newDurations(w.wait.WithLabelValues(name)),
		retries:      w.retries.WithLabelValues(name),
		timeouts:     w.timeouts.WithLabelValues(name),
		redeliveries: w.redeliveries.WithLabelValues(name),
		deadLetters:  make(map[bus.Verdict]prometheus.Counter),
		degraded:     newBounded(maxRungs, func(rung string) prometheus.Counter { return w.degraded.WithLabelValues(name, rung) }),
		rejected:     newBounded(maxCauses, func(cause string) prometheus.Counter { return w.rejected.WithLabelValues(name, cause) }),
		window:       w.errorRates.window(name),
	}
	for verdict, reason := range deadReasons() {
		a.deadLetters[verdict] = w.deadLetters.WithLabelValues(name, reason)
	}
	a.methods = newBounded(maxMethods, func(method string) methodHandles {
		status := func(s string) prometheus.Counter { return w.requests.WithLabelValues(name, method, s) }
		return methodHandles{
			success: status("success"), failure: status("failure"), expired: status("expired"), cancelled: status("cancelled"),
			duration: newDurations(w.duration.WithLabelValues(name, method)),
		}
	}, bus.MethodExecute)
	return a
}

// deadReasons are the verdicts that end in a dead letter, with its reason.
func deadReasons() map[bus.Verdict]string {
	return map[bus.Verdict]string{
		bus.VerdictPermanent: bus.DeadPermanent,
		bus.VerdictExhausted: bus.DeadExhausted,
		bus.VerdictMalformed: bus.DeadMalformed,
		bus.VerdictPanic:     bus.DeadPanic,
		bus.VerdictPoison:    bus.DeadPoison,
	}
}

// Observe counts one settled delivery. It is what bus.PoolOptions.Observe wants.
func (a *Agent) Observe(s bus.Settlement) {
	if s.Job.Deliveries > 1 {
		a.redeliveries.Inc()
	}
	if s.Err != nil && errors.Is(s.Err, resilience.ErrTimeout) {
		a.timeouts.Inc()
	}
	m := a.methods.get(method(&s))
	a.time(&s, m)
	switch s.Verdict {
	case bus.VerdictSuccess:
		m.success.Inc()
		a.window.add(false)
		if s.Degraded {
			a.degraded.get(s.Rung).Inc()
		}
	case bus.VerdictRetryable:
		a.retries.Inc()
	case bus.VerdictRejected:
		a.rejected.get(cause(s.Err)).Inc()
	case bus.VerdictPermanent, bus.VerdictExhausted, bus.VerdictMalformed, bus.VerdictPanic, bus.VerdictPoison:
		m.failure.Inc()
		a.window.add(true)
		a.deadLetters[s.Verdict].Inc()
	case bus.VerdictExpired:
		m.expired.Inc()
		a.window.add(true)
	case bus.VerdictAnswered:
		if errors.Is(s.Err, bus.ErrCancelled) {
			m.cancelled.Inc()
			a.window.add(false)
		}
	case bus.VerdictDraining, bus.VerdictHeld, bus.VerdictDuplicate: // no end
	}
}

// time observes an execution. What was rejected has none.
func (a *Agent) time(s *bus.Settlement, m methodHandles) {
	if s.Duration <= 0 || s.Verdict == bus.VerdictRejected {
		return
	}
	m.duration.observe(s.Duration, s.Job.Traceparent)
	if s.Job.Attempt == 1 && s.Verdict != bus.VerdictDraining && s.Verdict != bus.VerdictHeld {
		a.wait.observe(s.Queued, s.Job.Traceparent)
	}
}

// method is the label of a request's method. A malformed request has none to trust.
func method(s *bus.Settlement) string {
	switch {
	case s.Verdict == bus.VerdictMalformed:
		return Other
	case s.Job.Request.Method == "":
		return bus.MethodExecute
	}
	return s.Job.Request.Method
}

// cause is why a rejection was made.
func cause(err error) string {
	if r, ok := errors.AsType[*resilience.RejectedError](err); ok && r.Cause != "" {
		return r.Cause
	}
	return Other
}
