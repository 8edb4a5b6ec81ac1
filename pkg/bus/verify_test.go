package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

func verify(t testing.TB, b *bus.Bus, agents ...string) []bus.VerifyReport {
	t.Helper()
	reports, err := b.Verify(t.Context(), bus.VerifyOptions{Agents: agents})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return reports
}

// mustHold fails the test when a request is accounted for nowhere.
func mustHold(t testing.TB, b *bus.Bus) []bus.VerifyReport {
	t.Helper()
	reports := verify(t, b)
	for _, r := range reports {
		if r.MissingCount != 0 {
			t.Errorf("verify: %s misses %d sequences: %v", r.Agent, r.MissingCount, r.Missing)
		}
	}
	return reports
}

func TestVerifyAccountsForEveryOutcome(t *testing.T) {
	b := connect(t, bustest.Start(t), "a", "idle")
	handler := func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		switch j.Request.Prompt {
		case "bad":
			return bus.Answer{}, resilience.Permanent(errors.New("never"))
		case "panic":
			panic("ouch")
		}
		return answer(ctx, j)
	}
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: handler})
	for range 50 {
		publish(t, b, bus.Envelope{Agent: "a"})
	}
	publish(t, b, bus.Envelope{Agent: "a", Request: bus.Request{Prompt: "bad"}})
	publish(t, b, bus.Envelope{Agent: "a", Request: bus.Request{Prompt: "panic"}})
	publish(t, b, bus.Envelope{Agent: "a", Deadline: time.Now().Add(-time.Second)})
	if err := b.Conn().Publish("genesis.requests.a", []byte("[]")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one id twice: one is a duplicate
		if err := b.Conn().Publish("genesis.requests.a", []byte(`{"id":"twice","prompt":"x"}`)); err != nil {
			t.Fatal(err)
		}
	}
	p.settlements(t, 56)
	p.stop()
	publish(t, b, bus.Envelope{Agent: "a"})

	got := verify(t, b, "a")[0]
	want := bus.VerifyReport{Agent: "a", From: 1, To: 57, Pending: 1, Results: 55, DeadLetters: 3, Duplicates: 1}
	if got.MissingCount != 0 || got.From != want.From || got.To != want.To || got.Pending != want.Pending ||
		got.Results != want.Results || got.DeadLetters != want.DeadLetters || got.Duplicates != want.Duplicates {
		t.Errorf("verify: got %+v, want %+v", got, want)
	}
	if all := mustHold(t, b); len(all) != 2 {
		t.Errorf("verify: got %d agents, want 2", len(all))
	}
}

func TestVerifyNamesWhatWasRemovedBehindItsBack(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	for range 10 {
		publish(t, b, bus.Envelope{Agent: "a"})
	}
	s, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 4, 10} {
		if err := s.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	got := verify(t, b, "a")[0]
	if got.MissingCount != 3 || len(got.Missing) != 3 || got.Missing[0] != 1 || got.Missing[1] != 4 || got.Missing[2] != 10 {
		t.Errorf("verify: got %+v, want 1, 4 and 10 missing", got)
	}
}

func TestVerifyHoldsOverAReplay(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	fail := true
	p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 1, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		if fail {
			return bus.Answer{}, resilience.Permanent(errors.New("no"))
		}
		return answer(ctx, j)
	}})
	r := publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
	p.settlements(t, 1)
	d, err := b.DeadLetter(t.Context(), "a", r.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.stop()
	fail = false
	if err := b.Replay(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	mustHold(t, b)
	p = run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		if j.Replays != 1 || j.Attempt != 1 || j.Earlier != 1 {
			t.Errorf("job: got replay %d, attempt %d after %d earlier ones, want 1, 1 and 1", j.Replays, j.Attempt, j.Earlier)
		}
		return answer(ctx, j)
	}})
	p.settlements(t, 1)
	if got := result(t, b, "a", "x1"); !got.Success || len(got.Origin.Earlier) != 1 {
		t.Errorf("result after the replay: got %+v", got)
	}
	if _, err := b.DeadLetter(t.Context(), "a", "x1"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("dead letter after the replay: got %v, want not found", err)
	}
	if got := mustHold(t, b)[0]; got.To != 2 || got.Results != 1 {
		t.Errorf("verify: got %+v", got)
	}
}
