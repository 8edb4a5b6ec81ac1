package bus_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// bury publishes a request of agent a that fails for good, and returns its dead letter.
func bury(t testing.TB, b *bus.Bus, id string) bus.DeadLetter {
	t.Helper()
	publish(t, b, bus.Envelope{Agent: "a", ID: id})
	return buryPending(t, b, id)
}

// buryPending lets what waits for agent a fail for good.
func buryPending(t testing.TB, b *bus.Bus, id string) bus.DeadLetter {
	t.Helper()
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: script(resilience.Permanent(errors.New("never")))})
	p.settlements(t, 1)
	p.stop()
	settled(t, b)
	return letter(t, b, "a", id)
}

// settled waits until the broker has taken note of what agent a's worker settled.
func settled(t testing.TB, b *bus.Bus) {
	t.Helper()
	await(t, "the broker to settle", func() bool {
		return inFlight(t, b, bus.LaneInteractive)+inFlight(t, b, bus.LaneBatch) == 0
	})
}

// replayed reads the message that a replay put into the queue.
func replayed(t testing.TB, b *bus.Bus, subject string) *jetstream.RawStreamMsg {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
	if err != nil {
		t.Fatal(err)
	}
	msg, err := s.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatalf("message of %s: %v", subject, err)
	}
	return msg
}

func TestAReplayIsTheOriginalWithFewMarks(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	const payload = "{ \"prompt\" : \"é<>\",\n\"later\":1 }"
	header := []string{
		"X-Team", "red", "X-Team", "blue", "Genesis-Client", "me", "Nats-Msg-Id", "m1",
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"genesis-deadline", time.Now().Add(time.Hour).Format(time.RFC3339),
	}
	send(t, b, "genesis.requests.a.batch.x", payload, header...)
	d := buryPending(t, b, "x")
	if err := b.Replay(t.Context(), d); err != nil {
		t.Fatalf("replay: %v", err)
	}
	msg := replayed(t, b, "genesis.requests.a.batch.x")
	if string(msg.Data) != payload {
		t.Errorf("payload: got %q, want %q", msg.Data, payload)
	}
	want := nats.Header{
		"X-Team": {"red", "blue"}, "Genesis-Client": {"me"}, "traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		"Genesis-Replay": {"1"}, "Genesis-Origin-Earlier": {"1"}, "Nats-Expected-Last-Subject-Sequence": {"0"},
	}
	for _, k := range []string{"Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp"} {
		delete(msg.Header, k) // written by the broker, for this read
	}
	if !maps.EqualFunc(msg.Header, want, slices.Equal) { // no deadline: it would be past it
		t.Errorf("headers: got %v, want %v", msg.Header, want)
	}
	if _, err := b.DeadLetter(t.Context(), "a", "x"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("dead letter after its replay: got %v, want not found", err)
	}
}

func TestAReplayMayGoOnWithTheTrace(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	const trace, goneOn = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
	send(t, b, "genesis.requests.a.batch.x", `{"prompt":"hi"}`, "Traceparent", trace, "tracestate", "vendor=1")
	d := buryPending(t, b, "x")
	d.Header = nats.Header{"traceparent": {goneOn}}
	if err := b.Replay(t.Context(), d); err != nil {
		t.Fatalf("replay: %v", err)
	}
	got := replayed(t, b, "genesis.requests.a.batch.x").Header
	if !slices.Equal(got["traceparent"], []string{goneOn}) || got["Traceparent"] != nil || got.Get("tracestate") != "vendor=1" {
		t.Errorf("headers: got %v, want the traceparent %s once, and the rest as it was", got, goneOn)
	}
}

func TestAReplayReplacesTheFailureAndMayFailAgain(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	d := bury(t, b, "x")
	for round := 1; round <= 3; round++ {
		if err := b.Replay(t.Context(), d); err != nil {
			t.Fatalf("replay %d: %v", round, err)
		}
		mustHold(t, b)
		d = buryPending(t, b, "x")
		if d.Replays != round || len(d.Origin.Earlier) != round || d.Attempts != 1 {
			t.Errorf("dead letter of replay %d: got %+v", round, d)
		}
		if got := result(t, b, "a", "x"); got.Success || got.Origin.Sequence != d.Origin.Sequence {
			t.Errorf("result of replay %d: got %s of %+v, want this run's failure", round, got.Payload, got.Origin)
		}
	}
	if err := b.Replay(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
	p.settlements(t, 1)
	p.stop()
	if got := result(t, b, "a", "x"); !got.Success || !slices.Equal(got.Origin.Earlier, []uint64{1, 2, 3, 4}) {
		t.Errorf("result: got %s of %+v, want a success of all five messages", got.Payload, got.Origin)
	}
	if got := mustHold(t, b)[0]; got.Results != 1 || got.DeadLetters != 0 || got.To != 5 {
		t.Errorf("verify: got %+v, want one result for five messages", got)
	}
}

// A listing has no payloads; a replay from one must send the original bytes all the same.
func TestAReplayFromAListingSendsTheOriginalBytes(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	bury(t, b, "x")
	for d, err := range b.DeadLetters(t.Context(), bus.DeadLetterFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Replay(t.Context(), d); err != nil {
			t.Fatalf("replay: %v", err)
		}
	}
	if msg := replayed(t, b, "genesis.requests.a.interactive.x"); string(msg.Data) != `{"prompt":"hi"}` || msg.Header.Get("Nats-Msg-Size") != "" {
		t.Errorf("message: got %q %v, want the original", msg.Data, msg.Header)
	}
}

// A replay that was cut off between its two steps is repeated: it is queued once.
func TestACutOffReplayIsRepeated(t *testing.T) {
	for _, tt := range []struct {
		name  string
		until func(t *testing.T, b *bus.Bus) // what happens between the two replays
		left  uint64
	}{
		{"while it waits", func(*testing.T, *bus.Bus) {}, 1},
		{"after it was answered", func(t *testing.T, b *bus.Bus) {
			p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
			p.settlements(t, 1)
			p.stop()
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := connect(t, bustest.Start(t), "a")
			d := bury(t, b, "x")
			if err := b.Replay(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			restore(t, b, d) // as if its second step had never come
			tt.until(t, b)
			d = letter(t, b, "a", "x")
			if err := b.Replay(t.Context(), d); err != nil {
				t.Fatalf("replay again: %v", err)
			}
			if n := queued(t, b, "a"); n != tt.left {
				t.Errorf("queue: got %d messages, want %d", n, tt.left)
			}
			if _, err := b.DeadLetter(t.Context(), "a", "x"); !errors.Is(err, bus.ErrNotFound) {
				t.Errorf("dead letter: got %v, want not found", err)
			}
			mustHold(t, b)
		})
	}
}

// restore puts a dead letter back as it was.
func restore(t testing.TB, b *bus.Bus, d bus.DeadLetter, header ...string) {
	t.Helper()
	msg := &nats.Msg{Subject: bus.DeadLetterSubject(d.Agent, d.ID), Header: maps.Clone(d.Header), Data: d.Payload}
	delete(msg.Header, "Nats-Expected-Last-Subject-Sequence")
	for i := 0; i < len(header); i += 2 {
		msg.Header.Set(header[i], header[i+1])
	}
	if _, err := b.JetStream().PublishMsg(t.Context(), msg); err != nil {
		t.Fatalf("restore the dead letter: %v", err)
	}
}

// Another request waits under the id: the dead letter must not vanish for it.
func TestAReplayDoesNotVanishBehindAnotherRequest(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	d := bury(t, b, "x")
	publish(t, b, bus.Envelope{Agent: "a", ID: "x", Request: bus.Request{Prompt: "another"}})
	if err := b.Replay(t.Context(), d); !errors.Is(err, bus.ErrExists) {
		t.Errorf("replay: got %v, want that the id is taken", err)
	}
	letter(t, b, "a", "x")
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
	p.settlements(t, 1)
	settled(t, b)
	if err := b.Replay(t.Context(), d); err != nil {
		t.Errorf("replay once the id is free: %v", err)
	}
	p.settlements(t, 2)
	if got := result(t, b, "a", "x"); !got.Success {
		t.Errorf("result: got %s, want the replay's success", got.Payload)
	}
	mustHold(t, b)
}

// The worker died between the dead letter and the end of its message: a replay now
// would be taken for the message itself.
func TestAReplayWaitsForTheEndOfItsOriginal(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	d := bury(t, b, "x")
	send(t, b, "genesis.requests.a.interactive.x", `{"prompt":"hi"}`)
	restore(t, b, d, "Genesis-Origin-Sequence", "2")
	d = letter(t, b, "a", "x")
	if err := b.Replay(t.Context(), d); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("replay: got %v, want to be asked to repeat it", err)
	}
	if got := letter(t, b, "a", "x"); got.Sequence != d.Sequence {
		t.Errorf("dead letter: got %d, want %d", got.Sequence, d.Sequence)
	}
}

func TestAReplayWhoseFailureHasExpiredIsAnsweredAllTheSame(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		forgetResultsAfter(t, b, time.Hour)
		d := bury(t, b, "x")
		spend(t.Context(), 2*time.Hour)
		if _, err := b.Result(t.Context(), "a", "x"); !errors.Is(err, bus.ErrNotFound) {
			t.Fatalf("result after 2 h: got %v, want not found", err)
		}
		if err := b.Replay(t.Context(), d); err != nil {
			t.Fatalf("replay: %v", err)
		}
		run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
		if got := result(t, b, "a", "x"); !got.Success {
			t.Errorf("result: got %s, want success", got.Payload)
		}
		mustHold(t, b)
	})
}

func TestAReplaySaysWhyItCannotBe(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	d := bury(t, b, "x")
	if err := b.RemoveDeadLetter(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := b.Replay(t.Context(), d); !errors.Is(err, bus.ErrNotFound) || queued(t, b, "a") != 0 {
		t.Errorf("replay of a removed dead letter: got %v, %d queued, want not found and none", err, queued(t, b, "a"))
	}
	if err := b.RemoveDeadLetter(t.Context(), d); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("remove twice: got %v, want not found", err)
	}
	send(t, b, "genesis.requests.a.interactive.worn", `{"prompt":"hi"}`, "Genesis-Replay", "99999")
	if err := b.Replay(t.Context(), buryPending(t, b, "worn")); !errors.Is(err, bus.ErrInvalid) {
		t.Errorf("replay for the hundredth time: got %v, want invalid", err)
	}
	d = bury(t, b, "y")
	reconfigure(t, b, bus.RequestStream("a"), func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })
	publish(t, b, bus.Envelope{Agent: "a", ID: "fills"})
	if err := b.Replay(t.Context(), d); !errors.Is(err, bus.ErrFull) {
		t.Errorf("replay into a full queue: got %v, want full", err)
	}
	if err := b.JetStream().DeleteStream(t.Context(), bus.RequestStream("a")); err != nil {
		t.Fatal(err)
	}
	if err := b.Replay(context.WithoutCancel(t.Context()), d); !errors.Is(err, bus.ErrUnknownAgent) {
		t.Errorf("replay without a stream: got %v, want unknown agent", err)
	}
	letter(t, b, "a", "y")
}
