package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A StoredHealthEvent is a health event as it stands in the stream. As JSON it is the
// CloudEvent alone.
type StoredHealthEvent struct {
	HealthEvent
	// Sequence is its own place in the stream.
	Sequence uint64
}

// A HealthFilter selects health events; its zero value selects all.
type HealthFilter struct {
	Kind  HealthKind
	Name  string
	State HealthState
	// After leaves out what happened then or before; zero does not.
	After time.Time
}

func (f HealthFilter) subject() string {
	kind, name := "*", "*"
	if f.Kind != "" {
		kind = string(f.Kind)
	}
	if f.Name != "" {
		name = keyToken(f.Name)
	}
	return healthPrefix + kind + "." + name
}

func (f HealthFilter) validate() error {
	if f.Kind != "" && !slices.Contains(HealthKinds(), f.Kind) {
		return fmt.Errorf("%w: kind %q: want one of %q", ErrInvalid, clip(string(f.Kind)), HealthKinds())
	}
	if f.State != "" {
		return validState(f.State)
	}
	return nil
}

func (f HealthFilter) matches(e *StoredHealthEvent) bool {
	return (f.State == "" || f.State == e.Data.State) && (f.After.IsZero() || e.Time.After(f.After))
}

// HealthEvents lists health events, oldest first. The set is frozen when the iteration
// starts. The last pair carries the error, if any: [ErrUnavailable], [ErrInvalid] for a
// filter that cannot match.
func (b *Bus) HealthEvents(ctx context.Context, f HealthFilter) iter.Seq2[StoredHealthEvent, error] {
	return func(yield func(StoredHealthEvent, error) bool) {
		if err := f.validate(); err != nil {
			yield(StoredHealthEvent{}, fmt.Errorf("list health events: %w", err))
			return
		}
		err := b.scan(ctx, StreamHealth, f.subject(), false, func(msg jetstream.Msg) error {
			if e, ok := b.readHealth(msg); ok && f.matches(&e) && !yield(e, nil) {
				return errStopScan
			}
			return nil
		})
		if err != nil {
			yield(StoredHealthEvent{}, err)
		}
	}
}

// LastHealth returns the last event of each component, in the order of the components'
// names. Errors: [ErrUnavailable].
func (b *Bus) LastHealth(ctx context.Context) ([]StoredHealthEvent, error) {
	s, err := b.readLastHealth(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(s.events, func(x, y StoredHealthEvent) int {
		return cmp.Compare(x.Component.String(), y.Component.String())
	})
	return s.events, nil
}

// A healthSnapshot is the last event of each component, in the order of their sequences.
type healthSnapshot struct {
	events  []StoredHealthEvent
	last    uint64    // no event up to there is missing
	created time.Time // when the stream was made
}

func (b *Bus) readLastHealth(ctx context.Context) (healthSnapshot, error) {
	const op = "read " + StreamHealth
	stream, err := b.js.Stream(ctx, StreamHealth)
	if err != nil {
		return healthSnapshot{}, readError(op, err)
	}
	info := stream.CachedInfo()
	s := healthSnapshot{last: info.State.LastSeq, created: info.Created}
	r, err := b.newHealthReader(ctx, jetstream.DeliverLastPerSubjectPolicy, 0)
	if err != nil {
		return healthSnapshot{}, readError(op, err)
	}
	defer r.close(ctx)
	for left := r.pending; left > 0; {
		n, err := r.read(ctx, int(min(left, scanBatch)), time.Second, nil, func(msg jetstream.Msg, m *jetstream.MsgMetadata) {
			left = min(left-1, m.NumPending)
			s.last = max(s.last, m.Sequence.Stream)
			if e, ok := b.readHealth(msg); ok {
				s.events = append(s.events, e)
			}
		})
		if err != nil {
			return healthSnapshot{}, readError(op, err)
		}
		if n == 0 { // what was there has expired meanwhile
			info, err := r.consumer.Info(ctx)
			if err != nil {
				return healthSnapshot{}, readError(op, err)
			}
			left = min(left, info.NumPending)
		}
	}
	return s, nil
}

// readHealth reads a message of the stream. What is no health event is logged, and is
// not ok.
func (b *Bus) readHealth(msg jetstream.Msg) (e StoredHealthEvent, ok bool) {
	meta, err := msg.Metadata()
	if err == nil {
		e.Sequence = meta.Sequence.Stream
		e.HealthEvent, err = decodeHealth(msg.Subject(), msg.Data())
	}
	if err != nil {
		b.log.Warn("a message that is no health event is skipped", "subject", msg.Subject(), "sequence", e.Sequence, "error", err)
	}
	return e, err == nil
}

// decodeHealth reads a health event from a subject.
func decodeHealth(subject string, data []byte) (HealthEvent, error) {
	var e HealthEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return HealthEvent{}, err
	}
	if e.ID == "" {
		return HealthEvent{}, errors.New("it has no id")
	}
	if want := HealthSubject(e.Component); want != subject {
		return HealthEvent{}, fmt.Errorf("it belongs to %s", want)
	}
	if err := validState(e.Data.State); err != nil {
		return HealthEvent{}, err
	}
	return e, nil
}
