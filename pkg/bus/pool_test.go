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

func TestARequestEndsAsOneResult(t *testing.T) {
	b := connect(t, bustest.Start(t), "echo")
	p := run(t, b, bus.PoolOptions{Agent: "echo", Handler: answer})
	receipt := publish(t, b, bus.Envelope{Agent: "echo"})

	got := result(t, b, "echo", receipt.ID)
	if !got.Success || string(got.Output) != `{"text":"hi"}` || got.Error != nil {
		t.Errorf("result: got %+v, want a success", got.Result)
	}
	if got.Meta.Rung != "primary" || got.Meta.Deliveries != 1 || got.Meta.Worker != "w1" || got.Meta.RetryCount != 0 {
		t.Errorf("metadata: got %+v", got.Meta)
	}
	if got.Origin.Sequence != receipt.Sequence || got.Origin.Stream != receipt.Stream {
		t.Errorf("origin: got %+v, want %s %d", got.Origin, receipt.Stream, receipt.Sequence)
	}
	p.settlements(t, 1)
	emptied(t, b, "echo")
}

func TestAFailureIsRetriedAndThenSucceeds(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	run(t, b, bus.PoolOptions{
		Agent: "a", Backoff: resilience.Backoff{InitialDelay: time.Millisecond},
		Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			if j.Attempt <= 2 {
				return bus.Answer{}, errors.New("not yet")
			}
			return answer(ctx, j)
		},
	})
	receipt := publish(t, b, bus.Envelope{Agent: "a"})
	got := result(t, b, "a", receipt.ID)
	if !got.Success || got.Meta.RetryCount != 2 || got.Meta.Deliveries != 3 {
		t.Errorf("result: got %+v, want success after 2 retries and 3 deliveries", got.Result)
	}
	h, err := b.History(t.Context(), "a", receipt.ID)
	if err != nil || h.Attempts != 2 || len(h.Entries) != 2 || h.Entries[0].Error != "not yet" {
		t.Errorf("ledger: got %+v, %v, want two failed attempts", h, err)
	}
}

func TestAnExhaustedRequestBecomesADeadLetterAndAFailure(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	p := run(t, b, bus.PoolOptions{
		Agent: "a", MaxAttempts: 2, Backoff: resilience.Backoff{InitialDelay: time.Millisecond},
		Handler: func(context.Context, *bus.Job) (bus.Answer, error) { return bus.Answer{}, errors.New("boom 42") },
	})
	receipt := publish(t, b, bus.Envelope{Agent: "a", Client: "me"})
	got := result(t, b, "a", receipt.ID)
	if got.Success || got.Error == nil || got.Error.Code != bus.CodeExhausted || got.Error.Message != "boom 42" {
		t.Errorf("result: got %+v, want exhausted", got.Result)
	}
	d, err := b.DeadLetter(t.Context(), "a", receipt.ID)
	if err != nil || d.Reason != bus.DeadExhausted || d.Attempts != 2 || d.Deliveries != 2 || string(d.Payload) != `{"prompt":"hi"}` {
		t.Errorf("dead letter: got %+v, %v", d, err)
	}
	p.settlements(t, 2)
	emptied(t, b, "a")
}

func queued(t testing.TB, b *bus.Bus, agent string) uint64 {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), bus.RequestStream(agent))
	if err != nil {
		t.Fatalf("stream: %v", err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatalf("stream info: %v", err)
	}
	return info.State.Msgs
}

func TestAPoolThatCannotWorkIsRefused(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	for name, o := range map[string]bus.PoolOptions{
		"no agent":               {Handler: answer},
		"a bad agent":            {Agent: "A", Handler: answer},
		"no handler":             {Agent: "a"},
		"negative slots":         {Agent: "a", Handler: answer, Slots: -1},
		"negative AckWait":       {Agent: "a", Handler: answer, AckWait: -1},
		"negative attempts":      {Agent: "a", Handler: answer, MaxAttempts: -1},
		"negative crashes":       {Agent: "a", Handler: answer, MaxCrashes: -1},
		"negative drain timeout": {Agent: "a", Handler: answer, DrainTimeout: -1},
		"negative reserve":       {Agent: "a", Handler: answer, Reserved: -1},
		"every slot reserved":    {Agent: "a", Handler: answer, Slots: 4, Reserved: 4},
	} {
		if _, err := b.NewPool(o); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	p, err := b.NewPool(bus.PoolOptions{Agent: "a", Handler: answer})
	if err != nil || p.Stats() != (bus.Stats{Slots: bus.DefaultSlots}) {
		t.Errorf("the defaults: got %+v, %v", p.Stats(), err)
	}
	p, err = b.NewPool(bus.PoolOptions{Agent: "nobody", Handler: answer})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); !errors.Is(err, bus.ErrUnknownAgent) {
		t.Errorf("run without a stream: got %v, want unknown agent", err)
	}
}
