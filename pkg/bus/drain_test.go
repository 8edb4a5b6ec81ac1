package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestADrainFinishesWhatIsHeldAndTakesNoMore(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		started := make(chan struct{}, 10)
		p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 2, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			started <- struct{}{}
			spend(ctx, 10*time.Second)
			return answer(ctx, j)
		}})
		for i := range 4 {
			publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("x", i)})
		}
		receive(t, "an execution to begin", started)
		receive(t, "an execution to begin", started)
		began := time.Now()
		p.stop()
		if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("the drain took %s, want the rest of 10 s", took)
		}
		if got := verdicts(t, p, 2); !slices.Equal(got, []bus.Verdict{bus.VerdictSuccess, bus.VerdictSuccess}) {
			t.Errorf("verdicts: got %v, want two successes", got)
		}
		if n := queued(t, b, "a"); n != 2 || len(started) != 0 || p.Stats().InUse != 0 {
			t.Errorf("after the drain: %d in the queue, %d started, %+v; want 2, 0 and no slot in use", n, len(started), p.Stats())
		}
		for _, lane := range bus.Lanes() { // what it left can be taken at once
			if lag, err := b.Lag(t.Context(), "a", lane); err != nil || lag.InFlight != 0 {
				t.Errorf("lag after the drain: got %+v, %v, want nothing in flight", lag, err)
			}
		}
		mustHold(t, b)
	})
}

func TestADrainThatTakesTooLongGivesTheRequestToAnotherWorker(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		started := make(chan struct{})
		var cause error
		slow := run(t, b, bus.PoolOptions{Agent: "a", DrainTimeout: 5 * time.Second, MaxAttempts: 1, Handler: func(ctx context.Context, _ *bus.Job) (bus.Answer, error) {
			close(started)
			<-ctx.Done()
			cause = context.Cause(ctx)
			return bus.Answer{}, ctx.Err()
		}})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		receive(t, "an execution to begin", started)
		began := time.Now()
		slow.stop()
		if took := time.Since(began); took < 5*time.Second || took > 6*time.Second || !errors.Is(cause, bus.ErrDraining) {
			t.Errorf("the drain took %s, cause %v, want 5 s and draining", took, cause)
		}
		if got := verdicts(t, slow, 1); got[0] != bus.VerdictDraining {
			t.Errorf("verdict: got %s, want draining", got[0])
		}
		run(t, b, bus.PoolOptions{Agent: "a", Worker: "w2", Handler: answer})
		got := result(t, b, "a", "x")
		if took := time.Since(began); !got.Success || got.Meta.Worker != "w2" || got.Meta.RetryCount != 0 || got.Meta.Deliveries != 2 || took > 7*time.Second {
			t.Errorf("result: got %s after %s, want success by w2 at once, without a retry", got.Payload, took)
		}
		if k := kinds(t, b, "x"); !slices.Equal(k, []string{bus.EntryDrained}) {
			t.Errorf("ledger: got %v, want drained", k)
		}
		mustHold(t, b)
	})
}

// A handler that ignores its context does not keep its worker from shutting down, nor
// its request from being answered; that is no crash.
func TestAHandlerThatIgnoresItsContextIsLeftBehind(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		release := make(chan struct{})
		defer close(release)
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		for i := range 4 {
			started := make(chan struct{})
			stuck := run(t, b, bus.PoolOptions{Agent: "a", DrainTimeout: time.Second, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
				if j.Attempt != 1 {
					t.Errorf("attempt: got %d, want 1", j.Attempt)
				}
				close(started)
				<-release
				return answer(ctx, j)
			}})
			receive(t, "an execution to begin", started)
			began := time.Now()
			stuck.stop()
			if took := time.Since(began); took > 5*time.Second {
				t.Fatalf("drain %d took %s, want about 3 s", i, took)
			}
		}
		run(t, b, bus.PoolOptions{Agent: "a", Worker: "w2", Handler: answer})
		if got := result(t, b, "a", "x"); !got.Success || got.Meta.Worker != "w2" || got.Meta.RetryCount != 0 {
			t.Errorf("result: got %s, want success by w2 without a retry", got.Payload)
		}
		if k := kinds(t, b, "x"); !slices.Equal(k, []string{bus.EntryDrained}) {
			t.Errorf("ledger: got %v, want drained", k)
		}
	})
}

// An execution that is cut off but has its answer ready keeps it.
func TestAnAnswerBeatsTheDrain(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		started := make(chan struct{})
		p := run(t, b, bus.PoolOptions{Agent: "a", DrainTimeout: time.Second, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			close(started)
			<-ctx.Done()
			return answer(ctx, j)
		}})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		receive(t, "an execution to begin", started)
		p.stop()
		if got, err := b.Result(t.Context(), "a", "x"); err != nil || !got.Success {
			t.Errorf("result: got %s, %v, want the answer", got.Payload, err)
		}
		emptied(t, b, "a")
	})
}

func TestADrainEndsWhileTheBrokerIsAway(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		started := make(chan struct{})
		p := run(t, b, bus.PoolOptions{Agent: "a", DrainTimeout: 5 * time.Second, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			close(started)
			spend(ctx, 2*time.Second)
			return answer(ctx, j)
		}})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		receive(t, "an execution to begin", started)
		s.Down(t)
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the drain took %s, want less than 10 s", took)
		}
		s.Restart(t)
		run(t, b, bus.PoolOptions{Agent: "a", Worker: "w2", Handler: answer})
		if got := result(t, b, "a", "x"); !got.Success {
			t.Errorf("result: got %s, want success", got.Payload)
		}
		mustHold(t, b)
	})
}

func TestManyPoolsComeAndGoUnderLoad(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	const n = 400
	runs(t, func() {
		for i := range n {
			if _, err := b.Publish(t.Context(), bus.Envelope{Agent: "a", ID: fmt.Sprint("x", i), Request: bus.Request{Prompt: "hi"}}); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	})
	for i := range 8 {
		p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 4, Worker: fmt.Sprint("w", i), Handler: answer})
		p.settlements(t, 20)
		p.stop()
	}
	p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 4, Handler: answer})
	await(t, "an empty queue", func() bool {
		_, err := b.Result(t.Context(), "a", fmt.Sprint("x", n-1))
		return err == nil && queued(t, b, "a") == 0
	})
	p.stop()
	for i := range n {
		if got := result(t, b, "a", fmt.Sprint("x", i)); !got.Success || got.Meta.Deliveries != 1 {
			t.Errorf("result %d: got %s, want success by one delivery", i, got.Payload)
		}
	}
	mustHold(t, b)
}
