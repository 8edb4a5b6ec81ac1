package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// Buckets of the wire contract that this package uses itself.
const bucketAttempts = "genesis_attempts"

// handles keeps the stream and bucket handles, which cost a request each to make.
// A handle stays good when its stream is removed and made anew.
type handles struct {
	mu      sync.Mutex
	streams map[string]jetstream.Stream
	buckets map[string]jetstream.KeyValue
}

func (b *Bus) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	b.handles.mu.Lock()
	s := b.handles.streams[name]
	b.handles.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, readError("open stream "+name, err)
	}
	b.handles.mu.Lock()
	defer b.handles.mu.Unlock()
	if b.handles.streams == nil {
		b.handles.streams = make(map[string]jetstream.Stream)
	}
	b.handles.streams[name] = s
	return s, nil
}

func (b *Bus) bucket(ctx context.Context, name string) (jetstream.KeyValue, error) {
	b.handles.mu.Lock()
	kv := b.handles.buckets[name]
	b.handles.mu.Unlock()
	if kv != nil {
		return kv, nil
	}
	kv, err := b.js.KeyValue(ctx, name)
	if err != nil {
		return nil, readError("open bucket "+name, err)
	}
	b.handles.mu.Lock()
	defer b.handles.mu.Unlock()
	if b.handles.buckets == nil {
		b.handles.buckets = make(map[string]jetstream.KeyValue)
	}
	b.handles.buckets[name] = kv
	return kv, nil
}

// lastMessage reads the last message of a subject; [ErrNotFound] when there is none.
func (b *Bus) lastMessage(ctx context.Context, stream, subject string) (*jetstream.RawStreamMsg, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	msg, err := s.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return nil, readError("read "+subject, err)
	}
	return msg, nil
}

// readError maps what a read can answer to this package's errors.
func readError(op string, err error) error {
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, jetstream.ErrKeyNotFound),
		errors.Is(err, jetstream.ErrKeyDeleted):
		return fmt.Errorf("%s: %w", op, ErrNotFound)
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrBucketNotFound):
		return fmt.Errorf("%s: %w: it does not exist: create it with `genesis streams apply`", op, ErrUnavailable)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w: %w", op, ErrUnavailable, err)
}
