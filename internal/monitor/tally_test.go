package monitor

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// bury writes a dead letter as a worker does.
func bury(t *testing.T, b *bus.Bus, agent, id, fingerprint string) {
	t.Helper()
	msg := nats.NewMsg(bus.DeadLetterSubject(agent, id))
	now := time.Now().UTC().Format(time.RFC3339Nano)
	for name, value := range map[string]string{
		bus.HeaderDeadReason: bus.DeadPermanent, bus.HeaderDeadError: "no", bus.HeaderDeadFingerprint: fingerprint,
		bus.HeaderDeadFirst: now, bus.HeaderDeadLast: now,
	} {
		msg.Header.Set(name, value)
	}
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
		if err := tally.look(t.Context(), dead.LastSequence, dead.Messages); err != nil {
			t.Fatal(err)
		}
		kept, lately := tally.of()
		return fmt.Sprint(kept), fmt.Sprint(lately), tally.largest(10)
	}
	bury(t, b, "echo", "1", "a")
	bury(t, b, "echo", "2", "a")
	if kept, lately, groups := look(); kept != "map[echo:2]" || lately != "map[echo:2]" || len(groups) != 1 || groups[0].Count != 2 {
		t.Errorf("at first: got %s, %s, %+v", kept, lately, groups)
	}
	bury(t, b, "probe", "1", "b")
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
