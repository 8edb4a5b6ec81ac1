package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
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
	if errors.Is(err, jetstream.ErrMsgNotFound) && s.CachedInfo().Config.Replicas > 1 {
		// Any replica answers such a read; one that lags must not deny what the leader has.
		msg, err = b.lastMessageOfLeader(ctx, stream, subject)
	}
	if err != nil {
		return nil, readError("read "+subject, err)
	}
	return msg, nil
}

// lastMessageOfLeader reads the last message of a subject where it is written.
func (b *Bus) lastMessageOfLeader(ctx context.Context, stream, subject string) (*jetstream.RawStreamMsg, error) {
	ask, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return nil, err
	}
	return b.leaderMessage(ctx, stream, ask)
}

// leaderMessage reads the message that ask describes, where it is written.
func (b *Bus) leaderMessage(ctx context.Context, stream string, ask []byte) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	resp, err := b.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, ask)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(resp.Data, &answer); err != nil {
		return nil, err
	}
	switch m := answer.Message; {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound, answer.Error == nil && m == nil:
		return nil, jetstream.ErrMsgNotFound
	case answer.Error != nil:
		return nil, answer.Error
	default:
		msg := &jetstream.RawStreamMsg{Subject: m.Subject, Sequence: m.Seq, Data: m.Data, Time: m.Time}
		if len(m.Header) > 0 {
			msg.Header, err = nats.DecodeHeadersMsg(m.Header)
		}
		return msg, err
	}
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
