package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// scanBatch is how many messages a scan holds at a time.
const scanBatch = 500

// errStopScan ends a scan early without an error.
var errStopScan = errors.New("stop")

// scan calls f for each message of a stream below filter that is there when it
// starts, oldest first. With headersOnly the payloads are left out. The set is frozen
// at the start: what is added later is not seen.
func (b *Bus) scan(ctx context.Context, stream, filter string, headersOnly bool, f func(jetstream.Msg) error) error {
	return b.scanAfter(ctx, stream, filter, 0, headersOnly, f)
}

// scanAfter is scan for the messages after a sequence; those before cost nothing.
func (b *Bus) scanAfter(ctx context.Context, stream, filter string, after uint64, headersOnly bool, f func(jetstream.Msg) error) error {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return readError("read "+stream, err)
	}
	last := s.CachedInfo().State.LastSeq
	if after >= last {
		return nil
	}
	cfg := jetstream.ConsumerConfig{
		Description: "Genesis: reading", FilterSubject: filter, AckPolicy: jetstream.AckNonePolicy,
		HeadersOnly: headersOnly, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	}
	if after > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, after+1
	}
	c, err := b.js.CreateConsumer(ctx, stream, cfg)
	if err != nil {
		return readError("read "+stream, err)
	}
	defer func() {
		gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := b.js.DeleteConsumer(gone, stream, c.CachedInfo().Name); err != nil {
			b.log.Debug("remove a reading consumer; it expires by itself", "error", err)
		}
	}()
	for left := c.CachedInfo().NumPending; left > 0; {
		if ctx.Err() != nil {
			return fmt.Errorf("read %s: %w: %w", stream, ErrUnavailable, context.Cause(ctx))
		}
		before := left
		if left, err = readSome(ctx, c, left, last, f); err != nil {
			if errors.Is(err, errStopScan) {
				return nil
			}
			return fmt.Errorf("read %s: %w", stream, err)
		}
		if left == before { // what was there has been removed meanwhile
			info, err := c.Info(ctx)
			if err != nil {
				return readError("read "+stream, err)
			}
			left = min(left, info.NumPending)
		}
	}
	return nil
}

// readSome calls f for up to scanBatch of the messages that are left, none of them
// after the sequence last, and returns how many are left then.
func readSome(ctx context.Context, c jetstream.Consumer, left, last uint64, f func(jetstream.Msg) error) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	batch, err := c.Fetch(int(min(left, scanBatch)), jetstream.FetchContext(ctx))
	if err != nil {
		return left, readError("fetch", err)
	}
	for msg := range batch.Messages() {
		meta, err := msg.Metadata()
		if err != nil {
			return left, err
		}
		if meta.Sequence.Stream > last {
			return 0, nil
		}
		left = meta.NumPending
		if err := f(msg); err != nil {
			return left, err
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return left, readError("fetch", err)
	}
	return left, nil
}
