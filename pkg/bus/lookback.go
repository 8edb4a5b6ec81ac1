package bus

import (
	"context"
	"errors"

	"genesis/pkg/resilience"
)

// lookBack finds out what became of the request before: whether it is answered, and
// what its ledger says. A first delivery under an id that its publisher made for it has
// no past, and is not looked up.
func (p *Pool) lookBack(ctx context.Context, d *delivery) (outcome, bool) {
	again := d.job.Deliveries > 1
	if !again && d.newID && d.job.Replays == 0 {
		return outcome{}, false
	}
	if o, answered, err := p.findAnswer(ctx, d); err != nil || answered {
		return o, true
	}
	if !again && d.job.Replays == 0 {
		return outcome{}, false
	}
	err := p.persist(ctx, "read the attempts", storePatience, func(ctx context.Context) error {
		h, err := p.bus.History(ctx, d.job.Agent, d.job.ID)
		if err != nil {
			return ignoreNotFound(err)
		}
		h.startRun(d.job.Agent, d.job.ID, d.origin.Sequence)
		if h.Sequence == d.origin.Sequence {
			d.history = h
		}
		d.job.Earlier = h.Earlier
		return nil
	})
	if err != nil {
		return outcome{verdict: VerdictHeld, err: err}, true
	}
	if c := d.history.Condemned; c != nil {
		return outcome{verdict: Verdict(c.Reason), err: &condemnedError{c}}, true
	}
	return outcome{}, false
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// findAnswer looks for a result that makes an execution needless.
func (p *Pool) findAnswer(ctx context.Context, d *delivery) (outcome, bool, error) {
	var existing StoredResult
	found := false
	err := p.persist(ctx, "read the result", storePatience, func(ctx context.Context) error {
		r, err := p.bus.Result(ctx, d.job.Agent, d.job.ID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		existing, found = r, err == nil
		return err
	})
	switch {
	case err != nil:
		return outcome{verdict: VerdictHeld, err: err}, false, err
	case !found, !existing.Success && d.origin.replays(existing.Origin):
		return outcome{}, false, nil
	}
	return answeredBy(existing, d), true, nil
}

// answeredBy tells a message that was answered from a repetition of one that was.
func answeredBy(existing StoredResult, d *delivery) outcome {
	if existing.Origin.same(d.origin) {
		return outcome{verdict: VerdictAnswered, existing: existing}
	}
	return outcome{verdict: VerdictDuplicate, existing: existing}
}

// checkCancelled finds the result with which a request was cancelled. Without one the
// request goes on: a command alone, or for another message with its id, is no answer.
func (p *Pool) checkCancelled(ctx context.Context, d *delivery, o outcome) outcome {
	found, answered, err := p.findAnswer(ctx, d)
	if err == nil && !answered {
		found = outcome{verdict: VerdictHeld, err: resilience.RetryAfter(errNotCancelled, jitter(suspectDelay))}
	}
	found.duration = o.duration
	if e := found.existing.Error; e != nil && e.Code == CodeCancelled {
		found.err = ErrCancelled
	}
	return found
}

var errNotCancelled = errors.New("told to cancel it, but it has no result")

// A condemnedError brings back a failure from the ledger.
type condemnedError struct{ c *Condemnation }

func (e *condemnedError) Error() string { return e.c.Error }
