package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// endless is a handler that reports each start and the cause of its end.
func endless(started chan<- string, causes chan<- error) bus.Handler {
	return func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		started <- j.ID
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return bus.Answer{}, ctx.Err()
	}
}

func TestAWaitingRequestIsCancelledAndNeverExecuted(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	inbox := b.Conn().NewInbox()
	hint, err := b.Conn().SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, bus.Envelope{Agent: "a", ID: "x", Lane: bus.LaneBatch, ReplyTo: inbox})
	publish(t, b, bus.Envelope{Agent: "a", ID: "y"})
	if err := b.Cancel(t.Context(), "a", "x", "me\nnot you"); err != nil {
		t.Fatalf("cancel: %v", err)
	}
	got := result(t, b, "a", "x")
	if got.Success || got.Error.Code != bus.CodeCancelled || got.Error.Message != "cancelled by me not you" || got.Error.Retryable {
		t.Errorf("result: got %s, want cancelled", got.Payload)
	}
	if msg, err := hint.NextMsgWithContext(t.Context()); err != nil || string(msg.Data) != string(got.Payload) {
		t.Errorf("hint: got %v, %v, want the result", msg, err)
	}
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		if j.ID != "y" {
			t.Errorf("%s was executed", j.ID)
		}
		return answer(ctx, j)
	}})
	p.settlements(t, 1)
	if n := queued(t, b, "a"); n > 1 {
		t.Errorf("queue: got %d messages, want none of x", n)
	}
	for id, want := range map[string]error{"x": bus.ErrExists, "y": bus.ErrExists, "never": bus.ErrNotFound} {
		result := b.Cancel(t.Context(), "a", id, "")
		if !errors.Is(result, want) {
			t.Errorf("cancel %s: got %v, want %v", id, result, want)
		}
	}
	mustHold(t, b)
}

func TestARunningRequestIsCancelledWhereverItRuns(t *testing.T) {
	s := bustest.Start(t)
	b, gateway := connect(t, s, "a"), connect(t, s, "a")
	started, causes := make(chan string, 4), make(chan error, 4)
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: endless(started, causes)})
	c, err := b.ServeWorker("1.0.0", map[string]*bus.Pool{"a": p.Pool}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
	publish(t, b, bus.Envelope{Agent: "a", ID: "other"})
	receive(t, "an execution to begin", started)
	receive(t, "an execution to begin", started)
	if err := gateway.Cancel(t.Context(), "a", "x", ""); err != nil {
		t.Fatalf("cancel: %v", err)
	}
	if cause := receive(t, "the execution to end", causes); !errors.Is(cause, bus.ErrCancelled) {
		t.Errorf("cause: got %v, want cancelled", cause)
	}
	if v := verdicts(t, p, 1); v[0] != bus.VerdictAnswered {
		t.Errorf("verdict: got %s, want answered", v[0])
	}
	if got := result(t, b, "a", "x"); got.Error == nil || got.Error.Code != bus.CodeCancelled {
		t.Errorf("result: got %s, want cancelled", got.Payload)
	}
	if n := p.Stats().InUse; n != 1 {
		t.Errorf("slots in use: got %d, want the other request's", n)
	}
	if err := gateway.Cancel(t.Context(), "a", "other", ""); err != nil {
		t.Errorf("cancel other: %v", err)
	}
	mustHold(t, b)
}

// A command to cancel without a stored result comes from somebody who does not know
// the rules, or too early. It must not lose the request.
func TestACommandAloneCancelsNothing(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		started, causes := make(chan string, 1), make(chan error, 1)
		first := true
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			if first {
				first = false
				return endless(started, causes)(ctx, j)
			}
			return answer(ctx, j)
		}})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		receive(t, "an execution to begin", started)
		if !p.Cancel("x") || p.Cancel("unknown") {
			t.Error("cancel: got the wrong ones found")
		}
		p.settlements(t, 1)
		mustHold(t, b)
		if got := result(t, b, "a", "x"); !got.Success || got.Meta.RetryCount != 0 {
			t.Errorf("result: got %s, want a success without a retry", got.Payload)
		}
		mustHold(t, b)
	})
}

// Two messages with one id run at the same time. Cancelling the id ends both; one is
// answered by it, and the other one stays accounted for.
func TestCancellingOneIDAccountsForEachOfItsMessages(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	started, causes := make(chan string, 2), make(chan error, 2)
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: endless(started, causes)})
	publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
	// Publish refuses a second one; a client that sets no expectation does not ask.
	if err := b.Conn().Publish(bus.RequestSubject("a", bus.LaneBatch, "x"), []byte(`{"prompt":"hi"}`)); err != nil {
		t.Fatal(err)
	}
	receive(t, "an execution to begin", started)
	receive(t, "an execution to begin", started)
	if err := b.Cancel(t.Context(), "a", "x", ""); err != nil {
		t.Fatal(err)
	}
	p.Cancel("x")
	p.settlements(t, 2)
	if got := mustHold(t, b)[0]; got.Results != 1 || got.Duplicates != 1 {
		t.Errorf("verify: got %+v, want one result and one duplicate", got)
	}
}

// An answer and a cancellation race: the first writer wins, and there is one result.
func TestACancellationAndAnAnswerRace(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
	cancelled := 0
	for range 100 {
		id := publish(t, b, bus.Envelope{Agent: "a"}).ID
		err := b.Cancel(t.Context(), "a", id, "")
		got := result(t, b, "a", id)
		switch {
		case err == nil && got.Error != nil && got.Error.Code == bus.CodeCancelled:
			cancelled++
		case errors.Is(err, bus.ErrExists) && got.Success:
		default:
			t.Errorf("cancel: got %v and the result %s", err, got.Payload)
		}
	}
	t.Logf("%d of 100 were cancelled", cancelled)
	emptied(t, b, "a")
	p.stop()
	mustHold(t, b)
}

// A replay can be cancelled, too: its result replaces the failure.
func TestAReplayIsCancelled(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		d := bury(t, b, "x")
		if err := b.Replay(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if err := b.Cancel(t.Context(), "a", "x", ""); err != nil {
			t.Fatalf("cancel a replay: %v", err)
		}
		if got := result(t, b, "a", "x"); got.Error == nil || got.Error.Code != bus.CodeCancelled {
			t.Errorf("result: got %s, want cancelled", got.Payload)
		}
		spend(t.Context(), time.Minute)
		mustHold(t, b)
	})
}
