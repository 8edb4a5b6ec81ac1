package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Reasons of a dead letter.
const (
	DeadPermanent = "permanent" // the agent said that it will never succeed
	DeadExhausted = "exhausted" // every attempt failed
	DeadMalformed = "malformed" // the payload breaks the wire contract
	DeadPanic     = "panic"     // the agent panicked
	DeadPoison    = "poison"    // it crashed its worker again and again
)

// A DeadLetter is a request that could not be answered, kept untouched for an
// operator to inspect and replay.
type DeadLetter struct {
	Agent string `json:"agent"`
	ID    string `json:"id"`
	// Sequence is the dead letter's own place in the dead-letter stream.
	Sequence    uint64    `json:"sequence"`
	Reason      string    `json:"reason"`
	Error       string    `json:"error"`
	Fingerprint string    `json:"fingerprint"`
	Attempts    int       `json:"attempts"`
	Deliveries  uint64    `json:"deliveries"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Worker      string    `json:"worker"`
	Replays     int       `json:"replays"`
	Origin      Origin    `json:"-"`
	// Header and Payload are the original request's. Listings leave the payload out.
	Header  nats.Header `json:"-"`
	Payload []byte      `json:"-"`
}

// Lane is the queue that the request came from.
func (d *DeadLetter) Lane() Lane {
	if _, lane, _, err := parseRequestSubject(d.Origin.Subject); err == nil {
		return lane
	}
	return LaneInteractive
}

// storeDeadLetter writes a dead letter and waits for the broker's confirmation. One
// that is already there for the same message is success; one of an earlier run of the
// same request is replaced.
func (b *Bus) storeDeadLetter(ctx context.Context, d *DeadLetter) (uint64, error) {
	msg := &nats.Msg{Subject: DeadLetterSubject(d.Agent, d.ID), Header: d.header(), Data: d.Payload}
	var expected uint64
	for range maxConflicts {
		expectSequence(msg.Header, expected)
		sequence, err := b.commit.publish(ctx, StreamDeadLetters, msg)
		err = publishError(err)
		if err == nil || !errors.Is(err, ErrExists) && !errors.Is(err, ErrFull) {
			return sequence, err
		}
		if errors.Is(err, errDeduplicated) {
			msg.Header[HeaderOriginMsgID] = []string{get(msg.Header, HeaderMsgID)}
			without(msg.Header, HeaderMsgID)
		}
		existing, readErr := b.DeadLetter(ctx, d.Agent, d.ID)
		switch {
		case errors.Is(readErr, ErrNotFound):
			if errors.Is(err, ErrFull) {
				return 0, err
			}
			expected = 0
		case readErr != nil:
			return 0, readErr
		case existing.Origin.same(d.Origin):
			return existing.Sequence, nil
		case errors.Is(err, ErrFull):
			return 0, err
		default:
			expected = existing.Sequence
		}
	}
	return 0, fmt.Errorf("store the dead letter of %s: %w: it changes all the time", d.ID, ErrUnavailable)
}

func (d *DeadLetter) header() nats.Header {
	h := originalHeader(d.Header)
	h[HeaderDeadReason] = []string{d.Reason}
	h[HeaderDeadError] = []string{oneLine(d.Error, maxErrorText)}
	h[HeaderDeadFingerprint] = []string{d.Fingerprint}
	h[HeaderDeadAttempts] = []string{strconv.Itoa(d.Attempts)}
	h[HeaderDeadDeliveries] = []string{strconv.FormatUint(d.Deliveries, 10)}
	h[HeaderDeadFirst] = []string{formatTime(d.First)}
	h[HeaderDeadLast] = []string{formatTime(d.Last)}
	h[HeaderDeadWorker] = []string{d.Worker}
	d.Origin.write(h)
	return h
}

// maxErrorText bounds an error's text in a header.
const maxErrorText = 1024

// originalHeader copies what the publisher of a request wrote: neither what the
// broker acts on nor what belongs to one copy of the message.
func originalHeader(h nats.Header) nats.Header {
	out := maps.Clone(h)
	if out == nil {
		out = make(nats.Header)
	}
	maps.DeleteFunc(brokerless(out), func(k string, _ []string) bool {
		return strings.EqualFold(k, HeaderNewID) || strings.EqualFold(k, HeaderDigest) ||
			hasPrefixFold(k, "Genesis-Dead-") || hasPrefixFold(k, "Genesis-Origin-")
	})
	return out
}

// without removes headers, whatever the case in which another client wrote their names.
func without(h nats.Header, names ...string) nats.Header {
	maps.DeleteFunc(h, func(k string, _ []string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(k, name) })
	})
	return h
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// brokerless is h without what the broker wrote or acted on.
func brokerless(h nats.Header) nats.Header {
	maps.DeleteFunc(h, func(k string, _ []string) bool { return strings.HasPrefix(k, "Nats-") && k != jsMsgID })
	return h
}

// DeadLetter reads one dead letter with its payload. Errors: [ErrNotFound], [ErrUnavailable].
func (b *Bus) DeadLetter(ctx context.Context, agent, id string) (DeadLetter, error) {
	msg, err := b.lastMessage(ctx, StreamDeadLetters, DeadLetterSubject(agent, id))
	if err != nil {
		return DeadLetter{}, err
	}
	return readDeadLetter(msg)
}

func readDeadLetter(msg *jetstream.RawStreamMsg) (DeadLetter, error) {
	agent, id, err := parseStoredSubject(deadLetterPrefix, msg.Subject)
	if err != nil {
		return DeadLetter{}, err
	}
	h := msg.Header
	return DeadLetter{
		Agent:       agent,
		ID:          id,
		Sequence:    msg.Sequence,
		Reason:      h.Get(HeaderDeadReason),
		Error:       h.Get(HeaderDeadError),
		Fingerprint: h.Get(HeaderDeadFingerprint),
		Attempts:    int(min(parseUint(h.Get(HeaderDeadAttempts)), math.MaxInt32)),
		Deliveries:  parseUint(h.Get(HeaderDeadDeliveries)),
		First:       parseTime(h.Get(HeaderDeadFirst)),
		Last:        parseTime(h.Get(HeaderDeadLast)),
		Worker:      h.Get(HeaderDeadWorker),
		Replays:     replays(get(h, HeaderReplay)),
		Origin:      readOrigin(h),
		Header:      brokerless(h),
		Payload:     msg.Data,
	}, nil
}

// RemoveDeadLetter deletes a dead letter for good. It deletes exactly the one that was
// read: a newer one of the same request stays. Errors: [ErrNotFound], [ErrUnavailable].
func (b *Bus) RemoveDeadLetter(ctx context.Context, d DeadLetter) error {
	s, err := b.stream(ctx, StreamDeadLetters)
	if err != nil {
		return err
	}
	if err := s.DeleteMsg(ctx, d.Sequence); err != nil {
		if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
			return fmt.Errorf("remove the dead letter %s: %w", d.ID, ErrNotFound)
		}
		return readError("remove the dead letter "+d.ID, err)
	}
	return nil
}

// maxReplays bounds how often one request can be replayed, since each replay makes
// its message longer.
const maxReplays = 100

// Replay sends a dead letter back to its lane with its original bytes and headers,
// then removes it. The answer reaches the original id: its result replaces the
// failure. A replay that was cut off between the two steps can be repeated: it is
// queued once. A deadline is left out: it passed, and an operator wants the answer
// now. The traceparent is the one in d.Header, so that whoever replays may go on with the
// trace. Errors: [ErrNotFound] when the dead letter is gone, [ErrExists] while another
// request waits under the id, [ErrFull], [ErrUnknownAgent], [ErrUnavailable], [ErrInvalid].
func (b *Bus) Replay(ctx context.Context, d DeadLetter) error {
	if d.Replays >= maxReplays {
		return fmt.Errorf("%w: request %s was replayed %d times already: remove it, or send it under a new id", ErrInvalid, d.ID, d.Replays)
	}
	r, err := b.Result(ctx, d.Agent, d.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && r.Origin.replays(d.Origin) { // an earlier replay, that was cut off, got an answer
		return ignoreNotFound(b.RemoveDeadLetter(ctx, d))
	}
	msg, err := b.replayMessage(ctx, d)
	if err != nil {
		return fmt.Errorf("replay %s: %w", d.ID, err)
	}
	if _, err = b.commit.publish(ctx, RequestStream(d.Agent), msg); err != nil {
		if errors.Is(err, jetstream.ErrNoStreamResponse) && !b.knowsAgent(ctx, d.Agent) {
			return fmt.Errorf("replay %s: %w: no stream takes requests for %q", d.ID, ErrUnknownAgent, d.Agent)
		}
		if err = publishError(err); errors.Is(err, ErrExists) {
			err = b.checkReplayed(ctx, d)
		}
		if err != nil {
			return fmt.Errorf("replay %s: %w", d.ID, err)
		}
	}
	fault("replayed")
	// It may have failed again already, and its new dead letter taken the place of this one.
	return ignoreNotFound(b.RemoveDeadLetter(ctx, d))
}

// replayMessage makes the request of a dead letter. It reads the dead letter again,
// since a listing has no payloads, and somebody may have removed it meanwhile.
func (b *Bus) replayMessage(ctx context.Context, d DeadLetter) (*nats.Msg, error) {
	whole, err := b.DeadLetter(ctx, d.Agent, d.ID)
	if err != nil {
		return nil, err
	}
	if whole.Sequence != d.Sequence {
		return nil, fmt.Errorf("%w: a newer one has taken its place", ErrNotFound)
	}
	h := without(originalHeader(whole.Header), jsMsgID, HeaderReplay, HeaderDeadline)
	if trace := get(d.Header, HeaderTraceparent); trace != "" {
		without(h, HeaderTraceparent)[HeaderTraceparent] = []string{trace}
	}
	h[HeaderReplay] = []string{strconv.Itoa(whole.Replays + 1)}
	h[HeaderOriginEarlier] = []string{formatSequences(append(slices.Clone(whole.Origin.Earlier), whole.Origin.Sequence))}
	expectSequence(h, 0)
	return &nats.Msg{Subject: RequestSubject(d.Agent, d.Lane(), d.ID), Header: h, Data: whole.Payload}, nil
}

// checkReplayed tells a replay that waits already, because an earlier call was cut
// off, from another request that waits under the same id.
func (b *Bus) checkReplayed(ctx context.Context, d DeadLetter) error {
	msg, err := b.lastMessage(ctx, RequestStream(d.Agent), RequestSubject(d.Agent, d.Lane(), d.ID))
	switch {
	case err == nil && slices.Contains(parseSequences(get(msg.Header, HeaderOriginEarlier)), d.Origin.Sequence):
		return nil
	case err == nil && msg.Sequence == d.Origin.Sequence:
		return fmt.Errorf("%w: its worker has not settled it yet; repeat it in a moment", ErrUnavailable)
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	return fmt.Errorf("%w: another request waits under this id; repeat it when that is answered", ErrExists)
}

func replays(header string) int { return int(min(parseUint(header), maxReplays)) }

var variable = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9]+`)

// Fingerprint identifies the cause of a failure whatever its details: numbers and
// ids in the text do not change it.
func Fingerprint(agent, reason, text string) string {
	first, _, _ := strings.Cut(text, "\n")
	sum := sha256.Sum256([]byte(agent + "\x00" + reason + "\x00" + variable.ReplaceAllString(first, "#")))
	return hex.EncodeToString(sum[:6])
}
