package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A PendingRequest is a request that waits in its queue or is being executed.
type PendingRequest struct {
	Agent     string
	ID        string
	Lane      Lane
	Sequence  uint64
	Published time.Time
	// Digest identifies its content; empty when its payload is malformed.
	Digest string
	Client string

	replyTo string
	origin  Origin
}

// Pending finds a request that is not settled yet: its message is in the queue until
// it is. Requests published under the short form of the subject cannot be found by
// id. Errors: [ErrNotFound], [ErrUnavailable].
func (b *Bus) Pending(ctx context.Context, agent, id string) (PendingRequest, error) {
	for _, lane := range Lanes() {
		msg, err := b.lastMessage(ctx, RequestStream(agent), RequestSubject(agent, lane, id))
		if err == nil {
			return pendingRequest(agent, id, lane, msg), nil
		}
		if !errors.Is(err, ErrNotFound) {
			return PendingRequest{}, err
		}
	}
	return PendingRequest{}, fmt.Errorf("pending request %s of %s: %w", id, agent, ErrNotFound)
}

func pendingRequest(agent, id string, lane Lane, msg *jetstream.RawStreamMsg) PendingRequest {
	p := PendingRequest{
		Agent: agent, ID: id, Lane: lane, Sequence: msg.Sequence, Published: msg.Time,
		Client: get(msg.Header, HeaderClient), replyTo: get(msg.Header, HeaderReplyTo),
	}
	if r, err := DecodeRequest(msg.Data); err == nil {
		p.Digest = r.Digest()
	}
	p.origin = Origin{
		Stream: RequestStream(agent), Sequence: msg.Sequence, Subject: msg.Subject, Time: msg.Time,
		Earlier: parseSequences(msg.Header.Get(HeaderOriginEarlier)), Digest: p.Digest,
	}
	return p
}

// commandCancel ends running executions of a request.
const commandCancel = "cancel"

// A CancelCommand is the payload of genesis.control.worker.cancel.
type CancelCommand struct {
	Agent string `json:"agent"`
	ID    string `json:"id"`
}

// Cancel answers a pending request with `cancelled`, removes it from its queue, and
// ends its execution wherever it runs. Errors: [ErrExists] when it was answered
// first, [ErrNotFound], [ErrUnavailable].
func (b *Bus) Cancel(ctx context.Context, agent, id, by string) error {
	if r, err := b.Result(ctx, agent, id); err == nil && !b.beingReplayed(ctx, r) {
		return fmt.Errorf("cancel %s: its result is there: %w", id, ErrExists)
	} else if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	p, err := b.Pending(ctx, agent, id)
	if errors.Is(err, ErrNotFound) {
		if _, again := b.Result(ctx, agent, id); again == nil { // it was settled between the two looks
			return fmt.Errorf("cancel %s: its result is there: %w", id, ErrExists)
		}
	}
	if err != nil {
		return err
	}
	message := "cancelled"
	if by != "" {
		message += " by " + oneLine(by, maxID)
	}
	stored, err := b.storeResult(ctx, &Result{
		ID: id, Agent: agent, Error: &ResultError{Code: CodeCancelled, Message: message},
		Meta: ResultMeta{QueuedMS: max(time.Since(p.Published), 0).Milliseconds()},
	}, p.origin)
	if err != nil {
		return fmt.Errorf("cancel %s: %w", id, err)
	}
	fault("cancelled")
	b.sendHint(p.replyTo, stored.Payload)
	// Everything below only saves work: whoever takes the message up finds it answered.
	s, err := b.stream(ctx, RequestStream(agent))
	if err == nil {
		err = s.DeleteMsg(ctx, p.Sequence)
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		b.log.Debug("remove a cancelled request from its queue", "request_id", id, "error", err)
	}
	if err := b.Command("worker", commandCancel, CancelCommand{Agent: agent, ID: id}); err != nil {
		b.log.Debug("tell the workers of a cancelled request", "request_id", id, "error", err)
	}
	return nil
}

// beingReplayed reports whether a failure is about to be replaced.
func (b *Bus) beingReplayed(ctx context.Context, r StoredResult) bool {
	if r.Success {
		return false
	}
	p, err := b.Pending(ctx, r.Agent, r.ID)
	return err == nil && p.origin.replays(r.Origin)
}
