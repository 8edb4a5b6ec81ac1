package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// How health events are delivered to somebody outside.
const (
	deliverAckWait  = 30 * time.Second // then a deliverer that fell silent is taken for dead
	deliverBeat     = 10 * time.Second
	deliverWait     = 5 * time.Second // of one fetch
	deliverPause    = time.Second     // after the broker could not serve one
	deliverForgets  = 24 * time.Hour  // when nobody has delivered for so long, a new one begins with new events
	deliverPatience = 2 * time.Second
)

// A HealthDelivery is one event to deliver. Waiting counts those after it.
type HealthDelivery struct {
	StoredHealthEvent
	Waiting uint64
}

// DeliverHealth hands health events to deliver, one at a time and in order, until ctx
// ends; then it returns nil. Where it stands is kept on the broker under name, so that
// whoever calls it next goes on there: an event is delivered at least once, and again
// when its deliverer died before it was done. The first one ever begins with new events.
// An error of deliver that comes with the end of ctx leaves the event to the next; any
// other error is logged, and the event counts as delivered.
//
// Only one caller of a name at a time gets events. It waits for a broker that is away.
func (b *Bus) DeliverHealth(ctx context.Context, name string, deliver func(context.Context, HealthDelivery) error) error {
	for ctx.Err() == nil {
		err := b.deliverSome(ctx, name, deliver)
		if err != nil && ctx.Err() == nil {
			b.log.Debug("deliver health events", "name", name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(deliverPause):
		}
	}
	return nil
}

// deliverSome delivers until something fails.
func (b *Bus) deliverSome(ctx context.Context, name string, deliver func(context.Context, HealthDelivery) error) error {
	making, cancel := context.WithTimeout(ctx, deliverPatience)
	defer cancel()
	c, err := b.js.CreateOrUpdateConsumer(making, StreamHealth, jetstream.ConsumerConfig{
		Durable: name, Description: "Genesis: health events for the " + name,
		DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: deliverAckWait, MaxAckPending: 1, MaxDeliver: -1, InactiveThreshold: deliverForgets,
	})
	if err != nil {
		return readError("create the consumer "+name, err)
	}
	for ctx.Err() == nil {
		batch, err := c.Fetch(1, jetstream.FetchMaxWait(deliverWait))
		if err != nil {
			return readError("fetch", err)
		}
		for msg := range batch.Messages() {
			if err := b.deliverOne(ctx, msg, deliver); err != nil {
				return err
			}
		}
		if err := batch.Error(); err != nil {
			return readError("fetch", err)
		}
	}
	return nil
}

func (b *Bus) deliverOne(ctx context.Context, msg jetstream.Msg, deliver func(context.Context, HealthDelivery) error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	d := HealthDelivery{Waiting: meta.NumPending}
	d.Sequence = meta.Sequence.Stream
	if err := json.Unmarshal(msg.Data(), &d.HealthEvent); err != nil {
		b.log.Warn("a foreign message among the health events", "subject", msg.Subject(), "error", err)
		return msg.Ack()
	}
	err = b.whileBeating(ctx, msg, func(ctx context.Context) error { return deliver(ctx, d) })
	if err != nil {
		if ctx.Err() != nil {
			return errors.Join(err, msg.Nak())
		}
		b.log.Warn("a health event was not delivered", "event", d.ID, "component", d.Component.String(), "error", err)
	}
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliverPatience)
	defer cancel()
	if err := msg.DoubleAck(done); err != nil {
		return fmt.Errorf("confirm that event %s was delivered: %w", d.ID, err)
	}
	return nil
}

// whileBeating calls f, and tells the broker all the while that the message is in hand.
func (b *Bus) whileBeating(ctx context.Context, msg jetstream.Msg, f func(context.Context) error) error {
	ended := make(chan struct{})
	var beat sync.WaitGroup
	beat.Go(func() {
		tick := time.NewTicker(deliverBeat)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			if err := msg.InProgress(); err != nil {
				b.log.Debug("keep a health event", "error", err)
			}
		}
	})
	defer beat.Wait()
	defer close(ended)
	return f(ctx)
}
