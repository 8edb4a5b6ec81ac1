package bus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// reconfigure changes a stream behind the bus's back.
func reconfigure(t testing.TB, b *bus.Bus, stream string, change func(*jetstream.StreamConfig)) {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), stream)
	if err != nil {
		t.Fatalf("stream %s: %v", stream, err)
	}
	cfg := s.CachedInfo().Config
	change(&cfg)
	if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatalf("update %s: %v", stream, err)
	}
}

func TestPublishSaysWhyItRefuses(t *testing.T) {
	b := connect(t, bustest.Start(t, bustest.MaxPayload(64<<10)), "a", "full", "small")
	reconfigure(t, b, bus.RequestStream("full"), func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })
	reconfigure(t, b, bus.RequestStream("small"), func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1024 })
	publish(t, b, bus.Envelope{Agent: "full"})
	publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
	hi := bus.Request{Prompt: "hi"}
	for _, tt := range []struct {
		name string
		e    bus.Envelope
		want error
	}{
		{"a full queue", bus.Envelope{Agent: "full", Request: hi}, bus.ErrFull},
		{"a pending id", bus.Envelope{Agent: "a", ID: "x", Request: hi}, bus.ErrExists},
		{"an id that is pending in the other lane", bus.Envelope{Agent: "a", ID: "x", Lane: bus.LaneBatch, Request: hi}, bus.ErrExists},
		{"above the broker's limit", bus.Envelope{Agent: "a", Request: bus.Request{Prompt: strings.Repeat("x", 70<<10)}}, bus.ErrTooLarge},
		{"above the stream's limit", bus.Envelope{Agent: "small", Request: bus.Request{Prompt: strings.Repeat("x", 2<<10)}}, bus.ErrTooLarge},
		{"an agent without a stream", bus.Envelope{Agent: "nobody", Request: hi}, bus.ErrUnknownAgent},
		{"a bad agent", bus.Envelope{Agent: "a.b", Request: hi}, bus.ErrInvalid},
		{"no agent", bus.Envelope{Request: hi}, bus.ErrInvalid},
		{"a bad id", bus.Envelope{Agent: "a", ID: "a b", Request: hi}, bus.ErrInvalid},
		{"the id that means none", bus.Envelope{Agent: "a", ID: "-", Request: hi}, bus.ErrInvalid},
		{"another id in the payload", bus.Envelope{Agent: "a", ID: "y", Request: bus.Request{ID: "z", Prompt: "hi"}}, bus.ErrInvalid},
		{"a bad lane", bus.Envelope{Agent: "a", Lane: "fast", Request: hi}, bus.ErrInvalid},
		{"an empty request", bus.Envelope{Agent: "a"}, bus.ErrInvalid},
		{"broken input", bus.Envelope{Agent: "a", Request: bus.Request{Input: []byte(`{"a":`)}}, bus.ErrInvalid},
		{"a forbidden reply subject", bus.Envelope{Agent: "a", ReplyTo: "genesis.requests.a", Request: hi}, bus.ErrInvalid},
	} {
		before := queued(t, b, "a") + queued(t, b, "full") + queued(t, b, "small")
		r, err := b.Publish(t.Context(), tt.e)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %+v, %v, want %v", tt.name, r, err, tt.want)
		}
		if after := queued(t, b, "a") + queued(t, b, "full") + queued(t, b, "small"); after != before {
			t.Errorf("%s: %d messages were stored", tt.name, after-before)
		}
	}
}

func TestAReceiptSaysWhereTheRequestIs(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	for i, tt := range []struct {
		e    bus.Envelope
		want bus.Receipt
	}{
		{bus.Envelope{ID: "x"}, bus.Receipt{ID: "x", Lane: bus.LaneInteractive}},
		{bus.Envelope{ID: "y", Lane: bus.LaneBatch}, bus.Receipt{ID: "y", Lane: bus.LaneBatch}},
		{bus.Envelope{}, bus.Receipt{Lane: bus.LaneInteractive}},
	} {
		tt.e.Agent = "a"
		got := publish(t, b, tt.e)
		if tt.want.ID == "" {
			tt.want.ID = got.ID
		}
		tt.want.Agent, tt.want.Stream, tt.want.Sequence = "a", "GENESIS_REQUESTS_a", uint64(i+1)
		if got != tt.want || bus.ValidID(got.ID) != nil {
			t.Errorf("receipt %d: got %+v, want %+v", i, got, tt.want)
		}
		p, err := b.Pending(t.Context(), "a", got.ID)
		if err != nil || p.ID != got.ID || p.Digest == "" {
			t.Errorf("pending %s: got %+v, %v", got.ID, p, err)
		}
	}
	if _, err := b.Pending(t.Context(), "a", "unknown"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("pending unknown: got %v, want not found", err)
	}
}

func TestPublishFailsAtOnceWhileTheBrokerIsAwayAndRecoversByItself(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s, "a")
	e := bus.Envelope{Agent: "a", ID: "x", Request: bus.Request{Prompt: "hi"}}
	s.Down(t)
	await(t, "the connection to break", func() bool { return !b.Connected() })
	began := time.Now()
	r, err := b.Publish(t.Context(), e)
	if !errors.Is(err, bus.ErrUnavailable) || r.ID != "x" {
		t.Errorf("publish while the broker is away: got %+v, %v, want unavailable and the id", r, err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("publish while the broker is away: took %s", took)
	}
	if _, err := b.Result(t.Context(), "a", "x"); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("result while the broker is away: got %v, want unavailable", err)
	}
	s.Restart(t)
	await(t, "a publish to succeed", func() bool {
		_, err := b.Publish(t.Context(), e)
		return err == nil
	})
	if n := queued(t, b, "a"); n != 1 { // the failed ones were not sent behind our back
		t.Errorf("queue: got %d messages, want 1", n)
	}
}

// A broker that takes a message and never answers must not hold a publisher for longer
// than documented, whatever the deadline of its context.
func TestPublishDoesNotWaitForASilentBrokerForLongerThanFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := connect(t, bustest.Start(t, bustest.NoListen()))
		if _, err := b.Conn().Subscribe("genesis.requests.>", func(*nats.Msg) {}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		_, err := b.Publish(ctx, bus.Envelope{Agent: "a", Request: bus.Request{Prompt: "hi"}})
		if took := time.Since(began); !errors.Is(err, bus.ErrUnavailable) || took > 6*time.Second {
			t.Errorf("publish: got %v after %s, want unavailable after 5 s", err, took)
		}
	})
}

func TestACancelledPublisherIsToldSo(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Publish(ctx, bus.Envelope{Agent: "a", Request: bus.Request{Prompt: "hi"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("publish with a cancelled context: got %v, want its error", err)
	}
	if n := queued(t, b, "a"); n != 0 {
		t.Errorf("queue: got %d messages, want 0", n)
	}
}

func TestConnectSaysWhatToCheck(t *testing.T) {
	s := bustest.Start(t)
	url := s.URL()
	s.Stop()
	_, err := bus.Connect(t.Context(), bus.Options{URL: url, Wait: 300 * time.Millisecond})
	for _, want := range []string{url, "no answer within 300ms", "check", "GENESIS_NATS_URL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("connect to a stopped broker: got %v, want %q in it", err, want)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("told to stop")
	cancel(cause)
	if _, err := bus.Connect(ctx, bus.Options{URL: url, Wait: -1}); !errors.Is(err, cause) {
		t.Errorf("connect with an ended context: got %v, want its cause", err)
	}
	if _, err := bus.Connect(t.Context(), bus.Options{URL: url, Credentials: "/nowhere.creds", Wait: time.Second}); err == nil {
		t.Error("connect with missing credentials: got no error")
	}
}

func TestConnectWaitsForABrokerThatStartsLater(t *testing.T) {
	s := bustest.Start(t)
	url := s.URL()
	s.Down(t)
	got := make(chan error, 1)
	ctx := t.Context()
	waited := make(chan struct{})
	log := testLogTo(func(string) {
		select {
		case <-waited:
		default:
			close(waited)
		}
	})
	runs(t, func() {
		b, err := bus.Connect(ctx, bus.Options{URL: url, Logger: log})
		if err == nil {
			b.Close()
		}
		got <- err
	})
	<-waited // it said that it waits
	s.Restart(t)
	if err := <-got; err != nil {
		t.Errorf("connect: got %v, want a connection", err)
	}
}

func TestAgentsAreThoseWithAStream(t *testing.T) {
	b := connect(t, bustest.Start(t), "b", "a", "c-1")
	got, err := b.Agents(t.Context())
	if err != nil || strings.Join(got, " ") != "a b c-1" {
		t.Errorf("agents: got %v, %v, want a b c-1", got, err)
	}
}
