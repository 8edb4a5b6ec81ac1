package bus

import (
	"context"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A DeadLetterFilter selects dead letters; its zero value selects all.
type DeadLetterFilter struct {
	Agent       string
	ID          string
	Reason      string
	Fingerprint string
	// Before and After bound the time of the last failure; zero does not.
	Before, After time.Time
	// AfterSequence leaves out the dead letters up to that place in their stream, without
	// reading them; 0 leaves out none.
	AfterSequence uint64
}

func (f DeadLetterFilter) subject() string {
	agent, id := "*", "*"
	if f.Agent != "" {
		agent = f.Agent
	}
	if f.ID != "" {
		id = f.ID
	}
	return DeadLetterSubject(agent, id)
}

func (f DeadLetterFilter) matches(d *DeadLetter) bool {
	switch {
	case f.Reason != "" && d.Reason != f.Reason,
		f.Fingerprint != "" && d.Fingerprint != f.Fingerprint,
		!f.Before.IsZero() && !d.Last.Before(f.Before),
		!f.After.IsZero() && !d.Last.After(f.After):
		return false
	}
	return true
}

// DeadLetters lists dead letters, oldest first, without their payloads. The set is
// frozen when the iteration starts. The last pair carries the error, if any:
// [ErrUnavailable], [ErrInvalid] for a filter that cannot match.
func (b *Bus) DeadLetters(ctx context.Context, f DeadLetterFilter) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		if err := f.validate(); err != nil {
			yield(DeadLetter{}, err)
			return
		}
		err := b.scanAfter(ctx, StreamDeadLetters, f.subject(), f.AfterSequence, true, func(msg jetstream.Msg) error {
			meta, err := msg.Metadata()
			if err != nil {
				return err
			}
			d, err := readDeadLetter(&jetstream.RawStreamMsg{Subject: msg.Subject(), Sequence: meta.Sequence.Stream, Header: msg.Headers()})
			if err != nil { // a subject that no worker writes: skip it, but say so
				b.log.Warn("a dead letter with a foreign subject", "subject", msg.Subject(), "error", err)
				return nil
			}
			if f.matches(&d) && !yield(d, nil) {
				return errStopScan
			}
			return nil
		})
		if err != nil {
			yield(DeadLetter{}, err)
		}
	}
}

func (f DeadLetterFilter) validate() error {
	if f.Agent != "" {
		if err := ValidAgent(f.Agent); err != nil {
			return err
		}
	}
	if f.ID != "" {
		return ValidID(f.ID)
	}
	return nil
}
