package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// A Job is one execution of a request, as its handler sees it.
type Job struct {
	ID      string
	Agent   string
	Lane    Lane
	Request Request
	// Attempt is the number of this execution, 1 for the first; deliveries that were
	// rejected, drained or crashed do not count.
	Attempt int
	// Earlier is how many executions failed before the request was replayed; 0 without a replay.
	Earlier int
	// Deliveries is the broker's count, at least 1.
	Deliveries uint64
	// Replays is how often an operator replayed the request.
	Replays int
	// Published is when the request was stored.
	Published time.Time
	// Deadline is when the answer is no longer wanted; zero means never.
	Deadline    time.Time
	Client      string
	Traceparent string
}

// An Answer is what a handler makes of a Job.
type Answer struct {
	// Output is a JSON object.
	Output json.RawMessage
	// Valid says that Output is known to be one; it is stored without another look.
	Valid    bool
	Rung     string
	Provider string
	Degraded bool
	// Retries counts attempts inside the handler that failed before this answer.
	Retries int
	TraceID string
	Usage   Usage
}

// A Handler executes a request. It returns an answer, or an error whose verdict
// steers the queue: resilience.Permanent ends the request, resilience.RetryAfter and
// resilience.ErrRejected say when to come back, anything else is retried by the
// agent's delivery policy. It must return soon after ctx ends; the cause of ctx says
// why it ended. It may be called concurrently, up to the number of slots. A panic
// ends the request, not the worker.
type Handler func(ctx context.Context, job *Job) (Answer, error)

// A delivery is one message in hand.
type delivery struct {
	msg  *nats.Msg
	meta *nats.MsgMetadata
	job  Job
	// origin is the message itself.
	origin  Origin
	replyTo string
	newID   bool
	started time.Time
	// history is the ledger as it stood on pick-up; empty on a first delivery.
	history History
}

// open reads a message. A malformed one is returned with its error and with
// everything that is known, so that it can be filed.
func open(msg *nats.Msg, meta *nats.MsgMetadata, agent string, lane Lane) (*delivery, error) {
	h := readRequestHeaders(msg.Header)
	d := &delivery{
		msg:     msg,
		meta:    meta,
		started: time.Now(),
		replyTo: h.replyTo,
		newID:   h.newID != "",
		origin: Origin{
			Stream: meta.Stream, Sequence: meta.Sequence.Stream, Subject: msg.Subject,
			Time: meta.Timestamp, Earlier: parseSequences(h.earlier),
		},
		job: Job{
			Agent: agent, Lane: lane, Deliveries: meta.NumDelivered, Published: meta.Timestamp,
			Replays: replays(h.replay), Client: oneLine(h.client, maxID), Traceparent: h.traceparent,
		},
	}
	_, _, token, err := parseRequestSubject(msg.Subject)
	if err != nil {
		d.job.ID = d.madeID()
		return d, malformed("%v", err)
	}
	request, decodeErr := DecodeRequest(msg.Data)
	d.job.Request = request
	if d.job.ID, err = d.chooseID(token, request.ID, h.msgID); err != nil {
		return d, err
	}
	if decodeErr != nil {
		return d, decodeErr
	}
	if h.deadline != "" {
		if d.job.Deadline, err = time.Parse(time.RFC3339, h.deadline); err != nil {
			return d, malformed("header %s is %q: use RFC 3339, such as 2026-01-02T15:04:05Z", HeaderDeadline, clip(h.deadline))
		}
	}
	if d.replyTo != "" && !replyAllowed(d.replyTo) {
		d.replyTo = "" // not an error: the result is stored all the same
	}
	d.origin.Digest = request.Digest()
	return d, nil
}

// chooseID applies the order of the wire contract: the subject's id, else the
// payload's, else the broker's deduplication id, else one made of the message's place.
func (d *delivery) chooseID(token, payloadID, msgID string) (string, error) {
	if token != AnonymousID {
		if err := ValidID(token); err != nil {
			return d.madeID(), malformed("%v", err)
		}
		if payloadID != "" && payloadID != AnonymousID && payloadID != token {
			return token, malformed("the payload's id %q is not the subject's id %q", clip(payloadID), token)
		}
		return token, nil
	}
	for _, id := range [...]string{payloadID, msgID} {
		if id == "" || id == AnonymousID {
			continue
		}
		if err := ValidID(id); err != nil {
			return d.madeID(), malformed("%v", err)
		}
		return id, nil
	}
	d.newID = true
	return d.madeID(), nil
}

// madeID names a request after its place, which no other request has.
func (d *delivery) madeID() string {
	return "s" + strconv.FormatUint(d.meta.Sequence.Stream, 10) + "-" + strconv.FormatInt(d.meta.Timestamp.UnixMilli(), 36)
}

// A PanicError is a handler's panic, with its stack.
type PanicError struct {
	Value any
	Stack []byte
}

// Error is the panic's value.
func (e *PanicError) Error() string { return fmt.Sprintf("the agent panicked: %v", e.Value) }
