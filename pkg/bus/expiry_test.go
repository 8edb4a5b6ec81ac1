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

func TestARequestPastItsDeadlineIsNeverExecuted(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		publish(t, b, bus.Envelope{Agent: "a", ID: "waited", Deadline: time.Now().Add(time.Minute)})
		publish(t, b, bus.Envelope{Agent: "a", ID: "past", Deadline: time.Now().Add(-time.Hour)})
		publish(t, b, bus.Envelope{Agent: "a", ID: "ahead", Deadline: time.Now().Add(time.Hour)})
		spend(t.Context(), 2*time.Minute) // no worker is there
		run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			if j.ID != "ahead" {
				t.Errorf("%s was executed", j.ID)
			}
			return answer(ctx, j)
		}})
		for _, id := range []string{"waited", "past"} {
			got := result(t, b, "a", id)
			if got.Success || got.Error.Code != bus.CodeExpired || !got.Error.Retryable || got.Meta.QueuedMS < 2*60_000 {
				t.Errorf("result of %s: got %s, want expired, retryable, after two minutes", id, got.Payload)
			}
			if _, err := b.DeadLetter(t.Context(), "a", id); !errors.Is(err, bus.ErrNotFound) {
				t.Errorf("dead letter of %s: got %v, want none", id, err)
			}
		}
		if got := result(t, b, "a", "ahead"); !got.Success {
			t.Errorf("result before the deadline: got %s, want success", got.Payload)
		}
		emptied(t, b, "a")
		mustHold(t, b)
	})
}

func TestADeadlineEndsARunningExecution(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, _ *bus.Job) (bus.Answer, error) {
			<-ctx.Done()
			return bus.Answer{}, ctx.Err()
		}})
		began := time.Now()
		publish(t, b, bus.Envelope{Agent: "a", ID: "x", Deadline: began.Add(10 * time.Second)})
		got := result(t, b, "a", "x")
		if took := time.Since(began); got.Success || got.Error.Code != bus.CodeExpired || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("result: got %s after %s, want expired after 10 s", got.Payload, took)
		}
		if v := verdicts(t, p, 1); v[0] != bus.VerdictExpired {
			t.Errorf("verdict: got %s, want expired", v[0])
		}
		mustHold(t, b)
	})
}

// A retry that would come after the deadline is not executed any more.
func TestADeadlinePassesBetweenTwoAttempts(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		p := run(t, b, bus.PoolOptions{Agent: "a", Backoff: resilience.Backoff{InitialDelay: time.Minute}, Handler: script(errors.New("boom"), nil)})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x", Deadline: time.Now().Add(30 * time.Second)})
		if v := verdicts(t, p, 2); v[0] != bus.VerdictRetryable || v[1] != bus.VerdictExpired {
			t.Errorf("verdicts: got %v, want retryable, expired", v)
		}
		if got := result(t, b, "a", "x"); got.Error == nil || got.Error.Code != bus.CodeExpired || got.Meta.RetryCount != 1 {
			t.Errorf("result: got %s, want expired after one retry", got.Payload)
		}
	})
}

// An answer that was ready in time counts, though the deadline passed while it was stored.
func TestAnAnswerBeatsTheDeadline(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			<-ctx.Done()
			return answer(ctx, j)
		}})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x", Deadline: time.Now().Add(time.Second)})
		if got := result(t, b, "a", "x"); !got.Success {
			t.Errorf("result: got %s, want the answer", got.Payload)
		}
	})
}

// When the number of attempts is lowered, what failed as often already is not
// executed once more, and not said to have been.
func TestFewerAttemptsApplyToWhatFailedBefore(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		p := run(t, b, bus.PoolOptions{Agent: "a", MaxAttempts: 9, Backoff: resilience.Backoff{InitialDelay: time.Second}, Handler: script(errors.New("boom"))})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		p.settlements(t, 3)
		p.stop()
		run(t, b, bus.PoolOptions{Agent: "a", MaxAttempts: 2, Handler: func(context.Context, *bus.Job) (bus.Answer, error) {
			t.Error("executed once more")
			return bus.Answer{}, errors.New("again")
		}})
		d := letter(t, b, "a", "x")
		if d.Reason != bus.DeadExhausted || d.Attempts != 3 || d.Error != "boom" || d.Deliveries != 4 {
			t.Errorf("dead letter: got %+v, want exhausted after 3 attempts with the last error", d)
		}
	})
}
