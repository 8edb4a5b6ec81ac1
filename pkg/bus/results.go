package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// A StoredResult is a result as it stands in the results stream.
type StoredResult struct {
	Result
	// Payload is the result as it was written.
	Payload []byte
	// Sequence is the result's own place in the results stream.
	Sequence uint64
	// Stored is when it was written.
	Stored time.Time
	// Origin is the request message that it answers.
	Origin Origin
}

// Result reads the stored result of a request. Errors: [ErrNotFound], also for a
// result older than the stream keeps (24 hours), and [ErrUnavailable].
func (b *Bus) Result(ctx context.Context, agent, id string) (StoredResult, error) {
	msg, err := b.lastMessage(ctx, StreamResults, ResultSubject(agent, id))
	if err != nil {
		return StoredResult{}, err
	}
	r, err := DecodeResult(msg.Data)
	if err != nil {
		return StoredResult{}, fmt.Errorf("result %s of %s: %w", id, agent, err)
	}
	return StoredResult{Result: r, Payload: msg.Data, Sequence: msg.Sequence, Stored: msg.Time, Origin: readOrigin(msg.Header)}, nil
}

// storeResult writes a result, first writer wins: when the id already has one, that
// one is returned together with [ErrExists], and nothing is changed. Only a replay
// replaces the failure of the run that it replays.
func (b *Bus) storeResult(ctx context.Context, r *Result, o Origin) (StoredResult, error) {
	payload, err := r.encode()
	if err != nil {
		return StoredResult{}, err
	}
	stored := StoredResult{Result: *r, Payload: payload, Origin: o}
	var expected uint64
	for range maxConflicts {
		stored.Sequence, err = b.publishResult(ctx, &stored, expected)
		if !errors.Is(err, ErrExists) {
			return stored, err
		}
		existing, readErr := b.Result(ctx, r.Agent, r.ID)
		switch {
		case errors.Is(readErr, ErrNotFound): // it just expired, or a raced write did not make it
			expected = 0
		case readErr != nil:
			return StoredResult{}, readErr
		case !existing.Success && o.replays(existing.Origin):
			expected = existing.Sequence
		default:
			return existing, fmt.Errorf("store the result of %s: %w", r.ID, ErrExists)
		}
	}
	return StoredResult{}, fmt.Errorf("store the result of %s: %w: it changes all the time", r.ID, ErrUnavailable)
}

// maxConflicts bounds the rounds of an optimistic write.
const maxConflicts = 8

func (b *Bus) publishResult(ctx context.Context, r *StoredResult, expected uint64) (uint64, error) {
	msg := &nats.Msg{Subject: ResultSubject(r.Agent, r.ID), Data: r.Payload, Header: make(nats.Header, 7)}
	expectSequence(msg.Header, expected)
	r.Origin.write(msg.Header)
	sequence, err := b.commit.publish(ctx, StreamResults, msg)
	return sequence, publishError(err)
}

// sendHint tells whoever waits that the result is there, by sending it to the
// request's reply subject. A lost hint is no harm: the result is stored.
func (b *Bus) sendHint(replyTo string, payload []byte) {
	if replyTo == "" || len(payload) == 0 || !replyAllowed(replyTo) {
		return
	}
	if err := b.nc.Publish(replyTo, payload); err != nil {
		b.log.Debug("the reply hint was not sent", "subject", replyTo, "error", err)
	}
}
