package bus

import (
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// An Origin says which message of which request stream a result or a dead letter
// answers.
type Origin struct {
	Stream   string
	Sequence uint64
	Subject  string
	// Time is when the request was stored.
	Time time.Time
	// Earlier are the sequences the request had before it was replayed.
	Earlier []uint64
	// Digest identifies the request's content; empty when the payload was malformed.
	Digest string
}

// same reports whether both name the same message.
func (o Origin) same(other Origin) bool {
	return o.Stream == other.Stream && o.Sequence == other.Sequence
}

// replays reports whether o is a replay of the request that other answered.
func (o Origin) replays(other Origin) bool {
	return o.Stream == other.Stream && slices.Contains(o.Earlier, other.Sequence)
}

func (o Origin) write(h nats.Header) {
	// One array for all values, because this is on the way of every result.
	values := []string{
		o.Stream, strconv.FormatUint(o.Sequence, 10), o.Subject, formatTime(o.Time), o.Digest, formatSequences(o.Earlier),
	}
	for i, name := range [...]string{
		HeaderOriginStream, HeaderOriginSequence, HeaderOriginSubject, HeaderOriginTime, HeaderDigest, HeaderOriginEarlier,
	} {
		if values[i] != "" {
			h[name] = values[i : i+1 : i+1]
		}
	}
}

func readOrigin(h nats.Header) Origin {
	return Origin{
		Stream:   h.Get(HeaderOriginStream),
		Sequence: parseUint(h.Get(HeaderOriginSequence)),
		Subject:  h.Get(HeaderOriginSubject),
		Time:     parseTime(h.Get(HeaderOriginTime)),
		Earlier:  parseSequences(h.Get(HeaderOriginEarlier)),
		Digest:   h.Get(HeaderDigest),
	}
}
