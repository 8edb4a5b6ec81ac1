package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"genesis/pkg/bus"
)

// rawRequest and rawResult are the least that the same work needs: what is asked, and
// an answer with what was asked.
type rawRequest struct {
	Prompt string `json:"prompt"`
}

type rawResult struct {
	ID      string `json:"id"`
	Agent   string `json:"agent"`
	Success bool   `json:"success"`
	Output  struct {
		Text string `json:"text"`
	} `json:"output"`
}

// headerReply carries the inbox of the caller who waits.
const headerReply = "Reply-To"

// rawMessage is a request as a program without Genesis would send it.
func rawMessage(agent, prompt string) (*nats.Msg, error) {
	data, err := json.Marshal(rawRequest{prompt})
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(bus.RequestSubject(agent, bus.LaneInteractive, nuid.Next()))
	m.Data = data
	return m, nil
}

// rawPublish publishes n requests with inFlight of them waiting for their confirmation.
func rawPublish(ctx context.Context, nc *nats.Conn, n int, prompt string) error {
	var failed atomic.Pointer[error]
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(inFlight),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { failed.Store(&err) }))
	if err != nil {
		return err
	}
	defer js.CleanupPublisher()
	for range n {
		m, err := rawMessage(rawAgent, prompt)
		if err != nil {
			return err
		}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(10*time.Second)); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("publish: %w", *err)
	}
	return nil
}

// A rawWorker fetches into free slots, as many as there are; each slot, a goroutine
// that stays, decodes the request, stores the result if it is the first, tells the
// caller if one waits, and acknowledges.
type rawWorker struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	agent string
	// contract makes it write what the wire contract wants of a result: metadata, and
	// headers that say which message it answers.
	contract bool
	// done is called after each message.
	done func()

	mu     sync.Mutex
	failed error
}

// work runs until ctx ends.
func (w *rawWorker) work(ctx context.Context) error {
	js, err := jetstream.New(w.nc)
	if err != nil {
		return err
	}
	w.js = js
	consumer, err := js.Consumer(ctx, bus.RequestStream(w.agent), string(bus.LaneInteractive))
	if err != nil {
		return err
	}
	free, jobs := make(chan struct{}, slots), make(chan jetstream.Msg, slots)
	var running sync.WaitGroup
	for range slots {
		free <- struct{}{}
		running.Go(func() {
			for msg := range jobs {
				w.handle(ctx, msg)
				free <- struct{}{}
			}
		})
	}
	defer running.Wait()
	defer close(jobs)
	for ctx.Err() == nil {
		n := w.take(ctx, free)
		batch, err := consumer.Fetch(n, jetstream.FetchContext(ctx))
		if err != nil {
			return err
		}
		for msg := range batch.Messages() {
			n--
			jobs <- msg
		}
		for range n {
			free <- struct{}{}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// take waits for a free slot and takes all that are free.
func (w *rawWorker) take(ctx context.Context, free chan struct{}) int {
	select {
	case <-free:
	case <-ctx.Done():
		return 1
	}
	n := 1
	for {
		select {
		case <-free:
			n++
		default:
			return n
		}
	}
}

func (w *rawWorker) handle(ctx context.Context, msg jetstream.Msg) {
	if err := w.answer(ctx, msg); err != nil && !errors.Is(err, context.Canceled) {
		w.mu.Lock()
		w.failed = errors.Join(w.failed, err)
		w.mu.Unlock()
	}
	w.done()
}

func (w *rawWorker) answer(ctx context.Context, msg jetstream.Msg) error {
	var q rawRequest
	if err := json.Unmarshal(msg.Data(), &q); err != nil {
		return err
	}
	subject := msg.Subject()
	id := subject[strings.LastIndexByte(subject, '.')+1:]
	m := nats.NewMsg(bus.ResultSubject(w.agent, id))
	var err error
	if w.contract {
		m.Data, err = contractResult(m.Header, msg, w.agent, id, q.Prompt)
	} else {
		r := rawResult{ID: id, Agent: w.agent, Success: true}
		r.Output.Text = q.Prompt
		m.Data, err = json.Marshal(r)
	}
	if err != nil {
		return err
	}
	data := m.Data
	if _, err := w.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(0)); err != nil {
		return err
	}
	if reply := msg.Headers().Get(headerReply); reply != "" {
		if err := w.nc.Publish(reply, data); err != nil {
			return err
		}
	}
	return msg.Ack()
}

// contractResult is the result that Genesis would store, written by the plainest means.
func contractResult(h nats.Header, msg jetstream.Msg, agent, id, text string) ([]byte, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	output, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return nil, err
	}
	h.Set(bus.HeaderOriginStream, meta.Stream)
	h.Set(bus.HeaderOriginSequence, strconv.FormatUint(meta.Sequence.Stream, 10))
	h.Set(bus.HeaderOriginSubject, msg.Subject())
	h.Set(bus.HeaderOriginTime, meta.Timestamp.UTC().Format(time.RFC3339Nano))
	sum := sha256.Sum256(msg.Data())
	h.Set(bus.HeaderDigest, base64.RawURLEncoding.EncodeToString(sum[:16]))
	return json.Marshal(bus.Result{
		ID: id, Agent: agent, Success: true, Output: output,
		Meta: bus.ResultMeta{
			Rung: "primary", Provider: "echo", Deliveries: meta.NumDelivered, Worker: "bench",
			QueuedMS: time.Since(meta.Timestamp).Milliseconds(),
		},
	})
}
