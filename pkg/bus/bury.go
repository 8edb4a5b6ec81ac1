package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// bury makes a dead letter of a request: the cause goes into the ledger, the request
// into the dead-letter stream, and only when the broker has confirmed it the failure
// becomes the result. When the dead letter cannot be stored the message stays.
func (p *Pool) bury(ctx context.Context, d *delivery, o outcome) outcome {
	if found, answered, err := p.findAnswer(ctx, d); err != nil || answered {
		if found.verdict == VerdictHeld {
			return p.putBack(ctx, d, found)
		}
		if found.verdict == VerdictDuplicate {
			return p.buryDuplicate(ctx, d, o, found)
		}
		return found
	}
	now := time.Now()
	h, err := p.condemn(ctx, d, o)
	if err != nil {
		return p.putBack(ctx, d, outcome{verdict: VerdictHeld, err: err, duration: o.duration})
	}
	fault("condemned")
	reason, text := deadReason(o.verdict), o.err.Error()
	letter := &DeadLetter{
		Agent: d.job.Agent, ID: d.job.ID, Reason: reason, Error: text,
		Fingerprint: Fingerprint(d.job.Agent, reason, text),
		Attempts:    h.Attempts, Deliveries: d.job.Deliveries,
		First: h.First(), Last: now, Worker: p.o.Worker,
		Origin: d.origin, Header: d.msg.Header, Payload: d.msg.Data,
	}
	var sequence uint64
	err = p.persist(ctx, "store the dead letter", buryPatience, func(ctx context.Context) error {
		sequence, err = p.bus.storeDeadLetter(ctx, letter)
		return err
	})
	switch {
	case errors.Is(err, ErrTooLarge): // it would be so for ever; Publish leaves room, but others may not
		p.log.Error("a request is too large to become a dead letter; only its failure is kept", "request_id", d.job.ID, "error", err)
	case err != nil:
		p.log.Error("a dead letter cannot be stored; its request stays in the queue", "request_id", d.job.ID, "error", err)
		return p.putBack(ctx, d, outcome{verdict: VerdictHeld, err: fmt.Errorf("store the dead letter: %w", err), duration: o.duration})
	}
	fault("buried")
	stored := p.fail(ctx, d, o)
	fault("failure-stored")
	switch stored.verdict {
	case VerdictHeld:
		return p.putBack(ctx, d, stored)
	case VerdictAnswered:
		if stored.existing.Success || stored.existing.Error != nil && stored.existing.Error.Code == CodeCancelled {
			p.unbury(ctx, letter, sequence)
		}
	case VerdictDuplicate:
		p.unbury(ctx, letter, sequence)
		return p.buryDuplicate(ctx, d, o, stored)
	case VerdictSuccess, VerdictRetryable, VerdictRejected, VerdictDraining, VerdictPermanent, VerdictExhausted,
		VerdictMalformed, VerdictPanic, VerdictPoison, VerdictExpired:
	}
	return stored
}

// buryDuplicate takes note of a request whose id another one has answered. A malformed
// message is no repetition of that one: it is filed under an id of its own.
func (p *Pool) buryDuplicate(ctx context.Context, d *delivery, o, found outcome) outcome {
	made := d.madeID()
	if o.verdict != VerdictMalformed || d.job.ID == made {
		return p.noteDuplicate(ctx, d, found)
	}
	p.mu.Lock()
	d.job.ID = made
	p.mu.Unlock()
	return p.bury(ctx, d, o)
}

// condemn writes the last failure and its consequence into the ledger, once.
func (p *Pool) condemn(ctx context.Context, d *delivery, o outcome) (History, error) {
	if d.history.Condemned != nil {
		return d.history, nil
	}
	var h History
	err := p.persist(ctx, "record the failure", storePatience, func(ctx context.Context) (err error) {
		h, err = p.bus.record(ctx, d.job.Agent, d.job.ID, d.origin.Sequence, func(h *History) {
			d.noteCrashes(h)
			if d.job.Attempt > h.Attempts { // it was executed, and that failed
				h.Attempts = d.job.Attempt
				h.add(d.entry(EntryFailed, o, p.o.Worker))
			}
			h.Settled++
			h.Condemned = &Condemnation{Reason: deadReason(o.verdict), Error: oneLine(o.err.Error(), maxErrorText), Code: code(o.verdict, o.err)}
			h.add(d.entry(EntryCondemned, o, p.o.Worker))
		})
		return err
	})
	return h, err
}

// unbury takes a dead letter back whose request turned out to be answered by another
// worker.
func (p *Pool) unbury(ctx context.Context, letter *DeadLetter, sequence uint64) {
	if sequence == 0 { // it was not stored
		return
	}
	letter.Sequence = sequence
	err := p.persist(ctx, "take the dead letter back", buryPatience, func(ctx context.Context) error {
		err := p.bus.RemoveDeadLetter(ctx, *letter)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		p.log.Warn("a dead letter of an answered request stays", "request_id", letter.ID, "error", err)
	}
}

// entry describes an outcome for the ledger.
func (d *delivery) entry(kind string, o outcome, worker string) Entry {
	e := Entry{
		At: time.Now().UTC(), Kind: kind, Delivery: d.job.Deliveries,
		Rung: o.answer.Rung, Worker: worker, DelayMS: o.delay.Milliseconds(),
	}
	if kind == EntryFailed {
		e.Attempt = d.job.Attempt
	}
	if o.err != nil {
		e.Error = oneLine(o.err.Error(), maxErrorText)
		e.Fingerprint = Fingerprint(d.job.Agent, kind, e.Error)
	}
	return e
}

// noteCrashes writes down, once, deliveries that ended without a word.
func (d *delivery) noteCrashes(h *History) {
	if n := h.crashes(d.job.Deliveries); n > h.crashed() {
		h.add(Entry{At: time.Now().UTC(), Kind: EntryCrashed, Delivery: d.job.Deliveries - 1, Error: "its worker died", Count: n})
	}
}

// crashed is how many crashes of this run the ledger already tells of.
func (h *History) crashed() int {
	n := 0
	for _, e := range h.Entries {
		switch e.Kind {
		case EntryCrashed:
			n = max(n, e.Count)
		case EntryCondemned: // the end of a run
			n = 0
		}
	}
	return n
}

// lastError is the text of the last failure.
func (h *History) lastError() string {
	for _, e := range slices.Backward(h.Entries) {
		if e.Kind == EntryFailed {
			return e.Error
		}
	}
	return "every attempt failed"
}

func ledgerKind(v Verdict) string {
	switch v {
	case VerdictRetryable:
		return EntryFailed
	case VerdictRejected:
		return EntryRejected
	case VerdictDraining:
		return EntryDrained
	case VerdictHeld, VerdictSuccess, VerdictPermanent, VerdictExhausted, VerdictMalformed, VerdictPanic,
		VerdictPoison, VerdictExpired, VerdictAnswered, VerdictDuplicate:
	}
	return EntryHeld
}
