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
// when its deliverer died before it was done. The first one ever begins after that
// sequence, the caller's last event from before it wanted to deliver any. An error of
// deliver that comes with the end of ctx leaves the event to the next; any other error is
// logged, and the event counts as delivered.
//
// Only one caller of a name at a time gets events. It waits for a broker that is away.
func (b *Bus) DeliverHealth(ctx context.Context, name string, after uint64, deliver func(context.Context, HealthDelivery) error) error {
	for ctx.Err() == nil {
		if err := b.deliverSome(ctx, name, after, deliver); err != nil && ctx.Err() == nil {
			b.log.Debug("deliver health events", "name", name, "error", err)
		}
		pause(ctx, deliverPause)
	}
	return nil
}

// deliverSome delivers until something fails.
func (b *Bus) deliverSome(ctx context.Context, name string, after uint64, deliver func(context.Context, HealthDelivery) error) error {
	c, err := b.deliverer(ctx, name, after)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := b.deliverNext(ctx, c, deliver); err != nil {
			return err
		}
	}
	return nil
}

// deliverer is the consumer that stands where the last one of that name had come to, or
// after a sequence. A stream that has not come so far is another one than the caller's,
// and all in it is new.
func (b *Bus) deliverer(ctx context.Context, name string, after uint64) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, deliverPatience)
	defer cancel()
	op := "create the consumer " + name
	stream, err := b.js.Stream(ctx, StreamHealth)
	if err != nil {
		return nil, readError(op, err)
	}
	c, err := stream.Consumer(ctx, name)
	switch {
	case err == nil:
		return c, nil
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, readError(op, err)
	}
	if stream.CachedInfo().State.LastSeq < after {
		after = 0
	}
	if c, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: name, Description: "Genesis: health events for the " + name,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: deliverAckWait, MaxAckPending: 1, MaxDeliver: -1, InactiveThreshold: deliverForgets,
	}); err != nil {
		return nil, readError(op, err)
	}
	return c, nil
}

// deliverNext delivers the next event, if one comes soon.
func (b *Bus) deliverNext(ctx context.Context, c jetstream.Consumer, deliver func(context.Context, HealthDelivery) error) error {
	wait, cancel := context.WithTimeout(ctx, deliverWait)
	defer cancel()
	batch, err := c.Fetch(1, jetstream.FetchContext(wait))
	if err != nil {
		return readError("fetch", err)
	}
	for msg := range batch.Messages() {
		if err := b.deliverOne(ctx, msg, deliver); err != nil {
			return err
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return readError("fetch", err)
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
