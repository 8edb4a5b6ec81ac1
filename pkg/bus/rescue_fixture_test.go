package bus_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// interactive is the consumer of agent a's interactive lane.
func interactive(t testing.TB, b *bus.Bus) jetstream.Consumer {
	t.Helper()
	c, err := b.JetStream().Consumer(t.Context(), bus.RequestStream("a"), string(bus.LaneInteractive))
	if err != nil {
		t.Fatalf("consumer: %v", err)
	}
	return c
}

// edits changes that consumer as an operator with a NATS client would.
func edits(t testing.TB, b *bus.Bus, change func(*jetstream.ConsumerConfig)) {
	t.Helper()
	cfg := interactive(t, b).CachedInfo().Config
	change(&cfg)
	if _, err := b.JetStream().UpdateConsumer(t.Context(), bus.RequestStream("a"), cfg); err != nil {
		t.Fatalf("edit the consumer: %v", err)
	}
}

// limits gives that consumer a limit of one delivery.
func limits(t testing.TB, b *bus.Bus) {
	t.Helper()
	edits(t, b, func(cfg *jetstream.ConsumerConfig) { cfg.MaxDeliver = 1 })
}

// pick takes up to n messages from that consumer as another's worker would.
func pick(t testing.TB, b *bus.Bus, n int) []jetstream.Msg {
	t.Helper()
	batch, err := interactive(t, b).Fetch(n, jetstream.FetchMaxWait(time.Second))
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	var out []jetstream.Msg
	for m := range batch.Messages() {
		out = append(out, m)
	}
	return out
}

// strand leaves requests behind that wait in the interactive lane of agent a: each is
// taken and given back by a consumer that delivers once only.
func strand(t testing.TB, b *bus.Bus, n int) {
	t.Helper()
	limits(t, b)
	taken := pick(t, b, n)
	if len(taken) != n {
		t.Fatalf("took %d requests, want %d", len(taken), n)
	}
	for _, m := range taken {
		if err := m.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	pick(t, b, 1) // the broker gives them up when it is asked for the next
	advised(t, b, n)
}

// advised waits until the broker's advisories are stored, unless no stream takes them.
func advised(t testing.TB, b *bus.Bus, n int) {
	t.Helper()
	await(t, "the advisories", func() bool {
		s, err := b.JetStream().Stream(t.Context(), bus.StreamAdvisories)
		return errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && s.CachedInfo().State.Msgs >= uint64(n)
	})
}

// looked is what a Rescuer finds in a survey of this moment.
func looked(t testing.TB, r *bus.Rescuer, b *bus.Bus) []bus.Rescued {
	t.Helper()
	s, err := b.Survey(t.Context())
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	found, err := r.Look(t.Context(), s)
	if err != nil {
		t.Errorf("look: %v", err)
	}
	return found
}

// rescues rescues what is stranded in the queue of agent a.
func rescues(t testing.TB, b *bus.Bus) []bus.Rescued {
	t.Helper()
	found, err := b.Rescue(t.Context(), "a")
	if err != nil {
		t.Errorf("rescue: %v", err)
	}
	return found
}

// mustBeRescued fails the test unless exactly these requests were found, each is a dead
// letter with its failure now, and none is in the queue of agent a any more.
func mustBeRescued(t testing.TB, b *bus.Bus, found []bus.Rescued, ids ...string) {
	t.Helper()
	var got []string
	for _, f := range found {
		got = append(got, f.ID)
		if f.Err != nil || f.Agent != "a" || f.Sequence == 0 || f.Reason == "" {
			t.Errorf("rescued: got %+v, want it done, with its place and a reason", f)
		}
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Fatalf("rescued: got %q, want %q", got, ids)
	}
	for i, id := range ids {
		d := letter(t, b, "a", id)
		if d.Reason != bus.DeadExhausted || !strings.Contains(d.Error, found[i].Reason) || d.Worker != "backstop" ||
			d.Origin.Sequence != found[i].Sequence || d.Origin.Stream != bus.RequestStream("a") || string(d.Payload) != `{"prompt":"hi"}` {
			t.Errorf("dead letter of %s: got %+v with payload %s, want the request of sequence %d, exhausted because %q", id, d, d.Payload, found[i].Sequence, found[i].Reason)
		}
		r := result(t, b, "a", id)
		if r.Success || r.Error == nil || r.Error.Code != bus.CodeExhausted || r.Origin.Sequence != found[i].Sequence {
			t.Errorf("result of %s: got %+v, want a failure of its request, exhausted", id, r)
		}
		if k := kinds(t, b, id); !slices.Contains(k, bus.EntryCondemned) {
			t.Errorf("ledger of %s: got %q, want it condemned", id, k)
		}
		if _, err := b.Pending(t.Context(), "a", id); err == nil {
			t.Errorf("%s is still in its queue", id)
		}
	}
	mustHold(t, b)
}

// backstopped is an agent a with its consumers and no worker, whose broker knows virtual
// time.
func backstopped(t *testing.T, s *bustest.Server) *bus.Bus {
	t.Helper()
	b := connectTo(t, s, quiet())
	createStreams(t, b, "a")
	if err := b.EnsureConsumers(t.Context(), "a", 30*time.Second); err != nil {
		t.Fatal(err)
	}
	return b
}
