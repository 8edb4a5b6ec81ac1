package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors a caller may branch on with errors.Is.
var (
	// ErrInvalid: an agent name, an id, a lane or a payload that breaks the wire contract.
	ErrInvalid = errors.New("invalid")
	// ErrFull: the agent's queue holds as many requests as it may; come back later.
	ErrFull = errors.New("the agent's queue is full")
	// ErrUnavailable: the broker did not confirm in time, so it is not known whether
	// the message was stored. Publishing again with the same id is safe.
	ErrUnavailable = errors.New("the message bus is unavailable")
	// ErrUnknownAgent: no stream takes requests for that agent.
	ErrUnknownAgent = errors.New("unknown agent")
	// ErrExists: the id already has a pending request, a result or a dead letter.
	ErrExists = errors.New("already exists")
	// ErrNotFound: there is no such request, result, dead letter or key.
	ErrNotFound = errors.New("not found")
	// ErrTooLarge: the payload is larger than the broker or the stream takes.
	ErrTooLarge = errors.New("the message is too large")
	// ErrDraining is the cause of the context of an execution that is cut off
	// because its worker shuts down; the request goes to another worker.
	ErrDraining = errors.New("the worker is draining")
	// ErrCancelled is the cause of the context of an execution whose request was
	// cancelled by its client.
	ErrCancelled = errors.New("the request was cancelled")
)

// A MalformedError says why a payload is not a request of the wire contract. It
// wraps [ErrInvalid].
type MalformedError struct {
	Reason string
}

// Error is the reason, for people.
func (e *MalformedError) Error() string { return "malformed request: " + e.Reason }

// Unwrap makes errors.Is(err, ErrInvalid) true.
func (e *MalformedError) Unwrap() error { return ErrInvalid }

func malformed(format string, args ...any) *MalformedError {
	return &MalformedError{Reason: fmt.Sprintf(format, args...)}
}

// JetStream error codes, of server 2.15.2.
const (
	codeWrongLastSequence      jetstream.ErrorCode = 10071 // the subject already holds a message
	codeWrongLastSequenceRaced jetstream.ErrorCode = 10164 // the same, while another write is in flight (R3)
	codeStoreFailed            jetstream.ErrorCode = 10077 // a limit of the stream is reached
	codeMessageTooLarge        jetstream.ErrorCode = 10054
	codeDuplicateInBatch       jetstream.ErrorCode = 10201
)

// publishError maps what a publish to JetStream can answer to this package's
// errors, keeping the original in the chain.
func publishError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errDeduplicated) {
		return fmt.Errorf("%w (%w)", ErrExists, err)
	}
	var api *jetstream.APIError
	if apiErr := jetstream.JetStreamError(nil); errors.As(err, &apiErr) && apiErr.APIError() != nil {
		api = apiErr.APIError()
	} else {
		errors.As(err, &api)
	}
	if api != nil {
		switch api.ErrorCode {
		case codeWrongLastSequence, codeWrongLastSequenceRaced:
			return fmt.Errorf("%w (%w)", ErrExists, err)
		case codeStoreFailed:
			return fmt.Errorf("%w (%w)", ErrFull, err)
		case codeMessageTooLarge:
			return fmt.Errorf("%w (%w)", ErrTooLarge, err)
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w (%w)", ErrTooLarge, err)
	case errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrInvalidMsg):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// oneLine makes an error's text fit a header or a table cell.
func oneLine(s string, limit int) string {
	if s == "" {
		return ""
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}
