package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// healthBeat is how often the broker says that a reader is not forgotten. After twice
// as long without a word the reader is made anew.
const healthBeat = time.Second

// errCutOff: what a reader was told may not be all.
var errCutOff = errors.New("the reading was cut off")

// A healthReader reads the stream of the health events in order and without a gap, or
// fails.
type healthReader struct {
	bus      *Bus
	consumer jetstream.Consumer
	pending  uint64 // how many messages there were when it was made
	told     uint64 // how many messages it has told
}

// newHealthReader makes a reader; start is for [jetstream.DeliverByStartSequencePolicy].
func (b *Bus) newHealthReader(ctx context.Context, policy jetstream.DeliverPolicy, start uint64) (*healthReader, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	c, err := b.js.CreateConsumer(ctx, StreamHealth, jetstream.ConsumerConfig{
		Description: "Genesis: reading", FilterSubject: healthPrefix + "*.*", AckPolicy: jetstream.AckNonePolicy,
		DeliverPolicy: policy, OptStartSeq: start,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	return &healthReader{bus: b, consumer: c, pending: c.CachedInfo().NumPending}, nil
}

// read hands f up to n messages, those that come within patience, and returns how many.
// It fails when status says something.
func (r *healthReader) read(ctx context.Context, n int, patience time.Duration, status <-chan nats.Status,
	f func(msg jetstream.Msg, m *jetstream.MsgMetadata),
) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience) // its end also ends a pull that is left early
	defer cancel()
	options := []jetstream.FetchOpt{jetstream.FetchContext(ctx)}
	if patience > 4*healthBeat {
		options = append(options, jetstream.FetchHeartbeat(healthBeat))
	}
	batch, err := r.consumer.Fetch(n, options...)
	if err != nil {
		return 0, err
	}
	count := 0
	for {
		select {
		case s := <-status:
			return count, fmt.Errorf("%w: the connection is %s", errCutOff, s)
		case msg, open := <-batch.Messages():
			if !open {
				if err := batch.Error(); !errors.Is(err, context.DeadlineExceeded) {
					return count, err
				}
				return count, nil
			}
			meta, err := msg.Metadata()
			if err != nil {
				return count, err
			}
			if r.told++; meta.Sequence.Consumer != r.told {
				return count, fmt.Errorf("%w: message %d came in place of %d", errCutOff, meta.Sequence.Consumer, r.told)
			}
			count++
			f(msg, meta)
		}
	}
}

// close removes the consumer from the broker.
func (r *healthReader) close(ctx context.Context) {
	if !r.bus.Connected() {
		return // it expires by itself
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := r.bus.js.DeleteConsumer(ctx, StreamHealth, r.consumer.CachedInfo().Name); err != nil {
		r.bus.log.Debug("remove a reading consumer; it expires by itself", "error", err)
	}
}
