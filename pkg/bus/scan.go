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
	c, err := b.js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Description: "Genesis: reading", FilterSubject: filter, AckPolicy: jetstream.AckNonePolicy,
		HeadersOnly: headersOnly, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
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
	left := c.CachedInfo().NumPending
	for left > 0 {
		n := int(min(left, scanBatch))
		batch, err := c.Fetch(n, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return readError("read "+stream, err)
		}
		got := 0
		for msg := range batch.Messages() {
			got++
			left--
			if err := f(msg); err != nil {
				if errors.Is(err, errStopScan) {
					return nil
				}
				return err
			}
		}
		if err := batch.Error(); err != nil {
			return readError("read "+stream, err)
		}
		if got == 0 { // what was there has been removed meanwhile
			info, err := c.Info(ctx)
			if err != nil {
				return readError("read "+stream, err)
			}
			left = min(left, info.NumPending)
			if left > 0 && ctx.Err() != nil {
				return fmt.Errorf("read %s: %w", stream, context.Cause(ctx))
			}
		}
	}
	return nil
}
