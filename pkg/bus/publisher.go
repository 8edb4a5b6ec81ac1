package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers by which the broker stores a message only while a sequence is the last of
// its subject, or of the subjects below a filter.
const (
	headerExpectedSubjectSequence = "Nats-Expected-Last-Subject-Sequence"
	headerExpectedSubjectFilter   = "Nats-Expected-Last-Subject-Sequence-Subject"
)

// publishTimeout bounds the wait for a PubAck when the caller's context has no deadline.
const publishTimeout = 5 * time.Second

// An Envelope is a request with its address and what travels beside the payload.
// Agent and Request are needed; the zero value of the rest is fine.
type Envelope struct {
	Agent string
	// Lane is the queue; empty means interactive.
	Lane Lane
	// ID is chosen by the client, or empty: then Publish makes one.
	ID string
	// FreshID says that ID comes from [NewID] and is published for the first time, so that
	// no worker needs to look whether it is answered already.
	FreshID bool
	Request Request
	// Deadline is when the answer is no longer wanted; zero means never.
	Deadline time.Time
	// ReplyTo is a subject that also gets the result; below _INBOX. or genesis.replies.
	ReplyTo string
	// Client names who asked, for operators.
	Client string
	// Traceparent is the W3C trace context.
	Traceparent string
}

// A Receipt says where an accepted request is stored.
type Receipt struct {
	ID       string
	Agent    string
	Lane     Lane
	Stream   string
	Sequence uint64
}

// Publish stores a request and waits for the broker's confirmation, at most until
// ctx ends or 5 seconds; with Options.GroupCommit, who commits for others may stay up
// to 5 seconds after its own ctx has ended. When it returns no error the request is
// accepted: it will end as one result or one dead letter.
//
// Errors: [ErrInvalid], [ErrExists] (the id is pending, in whichever lane), [ErrFull],
// [ErrTooLarge], [ErrUnknownAgent], [ErrUnavailable]. Only after the last is it
// unknown whether the request was stored; the Receipt's ID is set then too, and
// publishing again under that id is safe.
func (b *Bus) Publish(ctx context.Context, e Envelope) (Receipt, error) {
	if e.Lane == "" {
		e.Lane = LaneInteractive
	}
	msg, err := e.message(true)
	if err != nil {
		return Receipt{}, err
	}
	if err := b.checkSize(msg); err != nil {
		return Receipt{}, err
	}
	if ctx.Err() != nil {
		return Receipt{}, context.Cause(ctx)
	}
	r := Receipt{ID: e.ID, Agent: e.Agent, Lane: e.Lane, Stream: RequestStream(e.Agent)}
	r.Sequence, err = b.commit.publish(ctx, r.Stream, msg)
	fault("published")
	err = b.explainPublish(ctx, &r, err)
	if e.FreshID && errors.Is(err, ErrExists) { // this very request: its first confirmation was lost
		if p, pending := b.Pending(ctx, e.Agent, e.ID); pending == nil {
			r.Sequence = p.Sequence
		}
		return r, nil
	}
	return r, err
}

// explainPublish puts what a publish answered into this package's errors.
func (b *Bus) explainPublish(ctx context.Context, r *Receipt, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		if b.knowsAgent(ctx, r.Agent) {
			return fmt.Errorf("publish request %s for %s: %w: %w", r.ID, r.Agent, ErrUnavailable, err)
		}
		return fmt.Errorf("publish request %s: %w: no stream takes requests for %q", r.ID, ErrUnknownAgent, r.Agent)
	}
	return fmt.Errorf("publish request %s for %s: %w", r.ID, r.Agent, publishError(err))
}

// NewID makes an id for a request: a UUIDv7, which sorts by time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// message checks the envelope, fills in the id, and writes the message. With once even
// a fresh id is stored only while nothing is stored under it, so that the publish can
// be repeated when its confirmation is lost.
func (e *Envelope) message(once bool) (*nats.Msg, error) {
	if err := ValidAgent(e.Agent); err != nil {
		return nil, err
	}
	if e.Lane != LaneInteractive && e.Lane != LaneBatch {
		return nil, fmt.Errorf("%w: unknown lane %q", ErrInvalid, e.Lane)
	}
	header := make(nats.Header, 4)
	if e.ID == "" {
		e.ID, e.FreshID = NewID(), true
	} else if err := ValidID(e.ID); err != nil {
		return nil, err
	}
	if !e.FreshID || once {
		header[headerExpectedSubjectSequence] = []string{"0"}
	}
	if e.FreshID {
		header[HeaderNewID] = []string{"1"}
	} else { // the other lane may hold it
		header[headerExpectedSubjectFilter] = []string{RequestSubject(e.Agent, "*", e.ID)}
	}
	if err := e.Request.Validate(); err != nil {
		return nil, err
	}
	if e.Request.ID != "" && e.Request.ID != e.ID {
		return nil, malformed("the payload's id %q is not the request's id %q", clip(e.Request.ID), e.ID)
	}
	if !e.Deadline.IsZero() {
		header[HeaderDeadline] = []string{formatTime(e.Deadline)}
	}
	if e.ReplyTo != "" {
		if !replyAllowed(e.ReplyTo) {
			return nil, fmt.Errorf("%w: replies may go below _INBOX. or %s, not to %q", ErrInvalid, replyPrefix, clip(e.ReplyTo))
		}
		header[HeaderReplyTo] = []string{e.ReplyTo}
	}
	if e.Client != "" {
		header[HeaderClient] = []string{oneLine(e.Client, maxID)}
	}
	if e.Traceparent != "" {
		header[HeaderTraceparent] = []string{oneLine(e.Traceparent, maxID)}
	}
	payload, err := e.Request.Encode()
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: RequestSubject(e.Agent, e.Lane, e.ID), Header: header, Data: payload}, nil
}

// deadLetterRoom is what the headers of a dead letter, and those of many replays, may add.
const deadLetterRoom = 4096

// checkSize refuses a request that could not become a dead letter.
func (b *Bus) checkSize(msg *nats.Msg) error {
	limit := b.nc.MaxPayload()
	if limit == 0 { // never connected yet: nobody knows
		return fmt.Errorf("publish: %w: %w", ErrUnavailable, nats.ErrDisconnected)
	}
	room := min(deadLetterRoom, limit/4)
	if int64(len(msg.Data)) > limit-room {
		return fmt.Errorf("%w: %d bytes; the broker takes %d with all headers, of which %d are kept free",
			ErrTooLarge, len(msg.Data), limit, room)
	}
	return nil
}

// knowsAgent tells an agent without a stream from a stream without a leader.
func (b *Bus) knowsAgent(ctx context.Context, agent string) bool {
	_, err := b.js.Stream(ctx, RequestStream(agent))
	return !errors.Is(err, jetstream.ErrStreamNotFound)
}

// expectSequence makes a publish succeed only while sequence is the last of its subject.
func expectSequence(h nats.Header, sequence uint64) {
	h[headerExpectedSubjectSequence] = []string{strconv.FormatUint(sequence, 10)}
}
