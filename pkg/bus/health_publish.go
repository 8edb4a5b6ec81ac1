package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const headerContentType = "Content-Type"

// PublishHealth stores that the state of a component changed, and returns the sequence
// of the event. after is the sequence of the component's last event, 0 for none, so that
// of several who judge the same only one is heard. An empty ID is made, a zero Time is
// now. It waits at most ten seconds.
//
// Errors: [ErrExists] when somebody published meanwhile, [ErrInvalid], and
// [ErrUnavailable], after which it is not known whether the event was stored: publishing
// it again under the same ID is safe.
func (b *Bus) PublishHealth(ctx context.Context, e HealthEvent, after uint64) (uint64, error) {
	op := "publish health of " + e.Component.String()
	if err := e.validate(); err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	if e.ID == "" {
		e.ID = NewID()
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %w", op, ErrInvalid, err)
	}
	if !b.Connected() { // nothing will be sent, so nothing is to be found out
		return 0, fmt.Errorf("%s: %w: there is no connection", op, ErrUnavailable)
	}
	fault("health-decided")
	for range maxConflicts {
		sequence, err := b.publishEvent(ctx, HealthSubject(e.Component), payload, after)
		if err == nil {
			fault("health-published")
			return sequence, nil
		}
		if errors.Is(err, ErrTooLarge) {
			return 0, wrap(op, err)
		}
		last, readErr := b.lastEvent(ctx, e.Component)
		switch {
		case readErr != nil:
			return 0, wrap(op, readErr) // more than err it says what is wrong
		case last.ID == e.ID:
			return last.Sequence, nil // its confirmation was lost
		case !errors.Is(err, ErrExists), last.ID != "" && last.Sequence != after:
			return 0, wrap(op, err)
		}
		after = last.Sequence // the event before has expired, or it was none
	}
	return 0, fmt.Errorf("%s: %w: it changes all the time", op, ErrUnavailable)
}

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}

func (e *HealthEvent) validate() error {
	if _, err := ParseComponent(e.Component.String()); err != nil {
		return err
	}
	return validState(e.Data.State)
}

func validState(s HealthState) error {
	switch s {
	case StateHealthy, StateDegraded, StateUnhealthy:
		return nil
	}
	return fmt.Errorf("%w: state %q: want %s, %s or %s", ErrInvalid, clip(string(s)), StateHealthy, StateDegraded, StateUnhealthy)
}

func (b *Bus) publishEvent(ctx context.Context, subject string, payload []byte, after uint64) (uint64, error) {
	msg := &nats.Msg{Subject: subject, Data: payload, Header: nats.Header{headerContentType: []string{ContentTypeEvent}}}
	expectSequence(msg.Header, after)
	sequence, err := b.commit.publish(ctx, StreamHealth, msg)
	return sequence, publishError(err)
}

// lastEvent reads the last event of a component; the zero one when there is none, and
// one without an ID when the last message is no health event. While the broker is away
// it tries again for five seconds: whoever asks does not know what was stored.
func (b *Bus) lastEvent(ctx context.Context, c Component) (StoredHealthEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	for {
		// A replica that lags may not have what was published a moment ago.
		msg, err := b.lastMessageOfLeader(ctx, StreamHealth, HealthSubject(c))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return StoredHealthEvent{}, nil
		case err == nil:
			e, err := decodeHealth(msg.Subject, msg.Data)
			if err != nil {
				e = HealthEvent{} // nobody's
			}
			return StoredHealthEvent{e, msg.Sequence}, nil
		case ctx.Err() != nil, errors.Is(err, jetstream.ErrStreamNotFound):
			return StoredHealthEvent{}, readError("read the last event", err)
		}
		pause(ctx, leaseRetry)
	}
}
