package bus

import (
	"context"
	"errors"
	"strings"
	"time"
)

const (
	// storePatience is how long an outcome in hand waits for a broker that is away
	// before the message is given back, to be executed again.
	storePatience = 30 * time.Second
	// buryPatience is the same for a dead letter, where nothing but the failure is lost.
	buryPatience = 5 * time.Second
	// maxPersistDelay is the longest pause between two tries.
	maxPersistDelay = time.Second
)

// settle carries out the verdict: first it makes the outcome durable, then it tells
// who waits, and only then it settles the message. A crash at any point leaves either
// the message, which is taken up again, or its outcome.
func (p *Pool) settle(ctx context.Context, e *execution, d *delivery, o outcome) {
	if o.verdict == VerdictSuccess {
		o = p.succeed(ctx, d, o)
	}
	switch o.verdict {
	case VerdictPermanent, VerdictExhausted, VerdictMalformed, VerdictPanic, VerdictPoison:
		o = p.bury(ctx, d, o)
	case VerdictExpired:
		if o = p.fail(ctx, d, o); o.verdict != VerdictExpired {
			p.settle(ctx, e, d, o)
			return
		}
	case VerdictDuplicate:
		o = p.noteDuplicate(ctx, d, o)
	case VerdictRetryable, VerdictRejected, VerdictDraining, VerdictHeld:
		o = p.putBack(ctx, d, o)
	case VerdictSuccess, VerdictAnswered:
	}
	switch o.verdict {
	case VerdictSuccess:
		p.bus.sendHint(d.replyTo, o.existing.Payload)
		fault("hinted")
		p.settleMessage(e, func() error { return e.msg.Ack() })
		fault("acked")
	case VerdictAnswered, VerdictDuplicate:
		p.bus.sendHint(d.replyTo, o.existing.Payload)
		p.settleMessage(e, func() error { return e.msg.Ack() })
	case VerdictPermanent, VerdictExhausted, VerdictMalformed, VerdictPanic, VerdictPoison, VerdictExpired:
		p.bus.sendHint(d.replyTo, o.existing.Payload)
		fault("failure-hinted")
		p.settleMessage(e, func() error { return e.msg.Term() })
		fault("termed")
	case VerdictRetryable, VerdictRejected, VerdictDraining, VerdictHeld:
		p.settleMessage(e, func() error { return e.msg.NakWithDelay(o.delay) })
		fault("given-back")
	}
	p.o.Observe(Settlement{
		Job: &d.job, Verdict: o.verdict, Err: o.err, Rung: o.answer.Rung, Degraded: o.answer.Degraded,
		Queued: max(d.started.Sub(d.job.Published), 0), Duration: o.duration, Delay: o.delay,
	})
}

// settleMessage settles a message unless somebody did. When the broker is away, the
// message comes back after AckWait and is found to be answered.
func (p *Pool) settleMessage(e *execution, how func() error) {
	if !e.settled.CompareAndSwap(false, true) {
		return
	}
	if err := how(); err != nil {
		p.log.Debug("the broker was not told; it will deliver the message again", "subject", e.msg.Subject, "error", err)
	}
}

// succeed stores the result.
func (p *Pool) succeed(ctx context.Context, d *delivery, o outcome) outcome {
	r := p.result(d, o)
	r.Success, r.Output, r.valid = true, o.answer.Output, o.answer.Valid
	if len(r.Output) == 0 {
		r.Output = []byte("{}")
	}
	o = p.store(ctx, d, r, o)
	fault("stored")
	return o
}

// store writes a result, first writer wins. The outcome that it returns has the result
// that is stored now, or another verdict.
func (p *Pool) store(ctx context.Context, d *delivery, r *Result, o outcome) outcome {
	var stored StoredResult
	err := p.persist(ctx, "store the result", storePatience, func(ctx context.Context) error {
		var err error
		stored, err = p.bus.storeResult(ctx, r, d.origin)
		return err
	})
	switch {
	case err == nil:
		o.existing = stored
		return o
	case errors.Is(err, ErrExists):
		was := answeredBy(stored, d)
		was.duration = o.duration
		return was
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrFull):
		return outcome{verdict: VerdictHeld, err: err, duration: o.duration}
	case r.Success: // it cannot be stored as it is: too large, or its output is not JSON
		return outcome{verdict: VerdictPermanent, err: err, duration: o.duration}
	}
	return outcome{verdict: VerdictHeld, err: err, duration: o.duration}
}

// fail stores the result of a failure.
func (p *Pool) fail(ctx context.Context, d *delivery, o outcome) outcome {
	r := p.result(d, o)
	c, text := code(o.verdict, o.err), o.err.Error()
	var condemned *condemnedError
	if errors.As(o.err, &condemned) && condemned.c.Code != "" {
		c = condemned.c.Code
	}
	r.Error = &ResultError{Code: c, Message: oneLine(text, maxErrorText), Retryable: o.verdict == VerdictExhausted || o.verdict == VerdictExpired}
	return p.store(ctx, d, r, o)
}

// result fills in what every result says.
func (p *Pool) result(d *delivery, o outcome) *Result {
	trace := o.answer.TraceID
	if trace == "" {
		trace = traceID(d.job.Traceparent)
	}
	return &Result{
		ID: d.job.ID, Agent: d.job.Agent,
		Meta: ResultMeta{
			Degraded: o.answer.Degraded, Rung: o.answer.Rung, Provider: o.answer.Provider,
			RetryCount: d.history.Attempts + o.answer.Retries, Deliveries: d.job.Deliveries,
			QueuedMS:   max(d.started.Sub(d.job.Published), 0).Milliseconds(),
			DurationMS: o.duration.Milliseconds(),
			Worker:     p.o.Worker, TraceID: trace, Usage: o.answer.Usage,
		},
	}
}

func (p *Pool) noteDuplicate(ctx context.Context, d *delivery, o outcome) outcome {
	err := p.persist(ctx, "record the duplicate", storePatience, func(ctx context.Context) error {
		return p.bus.recordDuplicate(ctx, d.job.Agent, d.job.ID, d.origin.Sequence)
	})
	if err != nil {
		return outcome{verdict: VerdictHeld, err: err, delay: holdDelay}
	}
	return o
}

// putBack writes into the ledger why the message comes back, so that this delivery is
// not taken for a crash, and a failed attempt for none.
func (p *Pool) putBack(ctx context.Context, d *delivery, o outcome) outcome {
	o.delay = retryDelay(o.verdict, o.err, d.job.Attempt, p.o.Backoff)
	entry := d.entry(ledgerKind(o.verdict), o, p.o.Worker)
	patience := buryPatience
	if o.verdict == VerdictRetryable {
		patience = storePatience
	}
	err := p.persist(ctx, "record the attempt", patience, func(ctx context.Context) error {
		_, err := p.bus.record(ctx, d.job.Agent, d.job.ID, d.origin.Sequence, func(h *History) {
			d.noteCrashes(h)
			if o.verdict == VerdictRetryable {
				h.Attempts++
			}
			h.Settled++
			h.add(entry)
		})
		return err
	})
	fault("recorded")
	if err != nil {
		p.log.Warn("the ledger was not written; this delivery will count as a crash", "request_id", d.job.ID, "error", err)
	}
	if o.verdict == VerdictRejected && p.o.Room == nil { // else it knows when to go on
		p.mu.Lock()
		p.slots.pause(time.Now().Add(min(o.delay, maxRejectPause)))
		p.mu.Unlock()
	}
	return o
}

// maxRejectPause bounds how long one rejection stops the pool.
const maxRejectPause = time.Minute

// persist repeats an operation while the broker is away, for as long as patience says,
// and no longer than the pool's drain allows.
func (p *Pool) persist(ctx context.Context, what string, patience time.Duration, op func(context.Context) error) error {
	ctx = context.WithoutCancel(ctx) // each operation is bounded by publishTimeout
	end := time.Now().Add(patience)
	for delay := 20 * time.Millisecond; ; delay = min(2*delay, maxPersistDelay) {
		err := op(ctx)
		if err == nil || !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrFull) {
			return err
		}
		if time.Now().Add(delay).After(end) || p.isCut() {
			p.log.Warn("gave up for now", "operation", what, "error", err)
			return err
		}
		select {
		case <-time.After(delay):
		case <-p.cut:
		}
	}
}

func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}
