package monitor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// letter is a dead letter as a worker writes it.
func letter(agent, id, fingerprint string, at time.Time) *nats.Msg {
	msg := nats.NewMsg(bus.DeadLetterSubject(agent, id))
	when := at.UTC().Format(time.RFC3339Nano)
	for name, value := range map[string]string{
		bus.HeaderDeadReason: bus.DeadPermanent, bus.HeaderDeadError: "no", bus.HeaderDeadFingerprint: fingerprint,
		bus.HeaderDeadFirst: when, bus.HeaderDeadLast: when,
	} {
		msg.Header.Set(name, value)
	}
	return msg
}

// bury stores a dead letter.
func bury(t *testing.T, b *bus.Bus, msg *nats.Msg) {
	t.Helper()
	if _, err := b.JetStream().PublishMsg(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
}

func TestDeadLettersAreCountedAsTheyComeAndGo(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	tally := newTally(b)
	look := func() (string, string, []Group) {
		t.Helper()
		s, err := b.Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dead, _ := s.Stream(bus.StreamDeadLetters)
		if err := tally.look(t.Context(), s.At, dead.LastSequence, dead.Messages); err != nil {
			t.Fatal(err)
		}
		kept, lately := tally.of()
		return fmt.Sprint(kept), fmt.Sprint(lately), tally.largest(10)
	}
	bury(t, b, letter("echo", "1", "a", time.Now()))
	bury(t, b, letter("echo", "2", "a", time.Now()))
	if kept, lately, groups := look(); kept != "map[echo:2]" || lately != "map[echo:2]" || len(groups) != 1 || groups[0].Count != 2 {
		t.Errorf("at first: got %s, %s, %+v", kept, lately, groups)
	}
	bury(t, b, letter("probe", "1", "b", time.Now()))
	if kept, lately, groups := look(); kept != "map[echo:2 probe:1]" || lately != "map[echo:2 probe:1]" || len(groups) != 2 {
		t.Errorf("one more: got %s, %s, %+v", kept, lately, groups)
	}
	letter, err := b.DeadLetter(t.Context(), "echo", "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveDeadLetter(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	tally.cost = 0 // as if all were read in no time
	if kept, _, groups := look(); kept != "map[echo:1 probe:1]" || groups[0].Count != 1 {
		t.Errorf("one less: got %s, %+v", kept, groups)
	}
}

func TestDeadLettersOfTheLastMinuteAreThoseThatCameWhateverTheClocksSay(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	now := time.Now() // by the broker
	bury(t, b, letter("echo", "old", "a", now.Add(-2*time.Minute)))
	bury(t, b, letter("echo", "young", "a", now.Add(-10*time.Second)))
	tally := newTally(b)
	look := func(at time.Time, last, kept uint64, want string) {
		t.Helper()
		if err := tally.look(t.Context(), at, last, kept); err != nil {
			t.Fatal(err)
		}
		if _, lately := tally.of(); fmt.Sprint(lately) != want {
			t.Errorf("of the last minute: got %v, want %s", lately, want)
		}
	}
	look(now, 2, 2, "map[echo:1]")
	bury(t, b, letter("echo", "ahead", "a", now.Add(5*time.Hour))) // a worker whose clock is early
	look(now, 3, 3, "map[echo:2]")
	bury(t, b, letter("echo", "behind", "a", now.Add(-5*time.Hour))) // and one whose is late
	look(now, 4, 4, "map[echo:3]")

	for i := range tally.recent { // a minute passes
		tally.recent[i].at = tally.recent[i].at.Add(-time.Minute)
	}
	look(now, 4, 4, "map[]")
	first, err := b.DeadLetter(t.Context(), "echo", "young")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveDeadLetter(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	bury(t, b, letter("echo", "new", "a", now.Add(-5*time.Hour)))
	tally.cost = 0
	look(now, 5, 4, "map[echo:1]") // all are read anew, and one has come
}

// Reading them takes longer than a round has.
func TestManyDeadLettersAreReadLittleByLittle(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	const n = 20_000
	for i := range n {
		if _, err := b.JetStream().PublishMsgAsync(letter("echo", fmt.Sprint(i), "a", time.Now()), jetstream.WithStallWait(patience)); err != nil {
			t.Fatal(err)
		}
	}
	<-b.JetStream().PublishAsyncComplete()
	tally := newTally(b)
	look := func(patience time.Duration) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := tally.look(ctx, time.Now(), n, n); err != nil {
			t.Fatal(err)
		}
	}
	enough := 10 * time.Millisecond
	for ; !tally.read && (tally.next == nil || tally.next.last == 0); enough *= 2 {
		look(enough)
	}
	begun, looks := tally.begun, 1
	for ; !tally.read; enough *= 2 {
		look(enough)
		looks++
	}
	if kept, _ := tally.of(); kept["echo"] != n || tally.largest(1)[0].Count != n {
		t.Errorf("after %d looks: got %v, want %d", looks, kept, n)
	}
	if looks < 2 || !tally.begun.Equal(begun) {
		t.Errorf("it took %d looks, and began at %s and %s: want several, and one begin", looks, begun, tally.begun)
	}
}
