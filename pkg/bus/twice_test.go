package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

func TestAnExecutionThatOutlivesAckWaitRunsOnce(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		var calls atomic.Int32
		for i := range 2 { // two workers, so that somebody would take it
			run(t, b, bus.PoolOptions{Agent: "a", Worker: fmt.Sprint("w", i), AckWait: 5 * time.Second, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
				calls.Add(1)
				spend(ctx, 2*time.Minute)
				return answer(ctx, j)
			}})
		}
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		if got := result(t, b, "a", "x"); !got.Success || got.Meta.Deliveries != 1 || got.Meta.DurationMS < 120_000 {
			t.Errorf("result: got %s, want one delivery of two minutes", got.Payload)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("executions: got %d, want 1", n)
		}
		mustHold(t, b)
	})
}

// Two workers have the same message in hand: there is one result, by the first of them
// that has one, and the other one's work leaves no trace.
func TestTwoWorkersWithOneMessageGiveOneResult(t *testing.T) {
	for _, tt := range []struct {
		name          string
		first, second error // what the worker that took it first, and the one that took it next, come to
		success       bool
		worker        string
	}{
		{"both succeed", nil, nil, true, "second"},
		{"the second fails for good", nil, resilience.Permanent(errors.New("no")), false, "second"},
		{"the first fails for good", resilience.Permanent(errors.New("no")), nil, true, "second"},
		{"both fail for good", resilience.Permanent(errors.New("no")), resilience.Permanent(errors.New("no")), false, "second"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				if err := b.EnsureConsumers(t.Context(), "a", ackWait); err != nil {
					t.Fatal(err)
				}
				handler := func(took time.Duration, err error) bus.Handler {
					return func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
						spend(ctx, took)
						if err != nil {
							return bus.Answer{}, err
						}
						return answer(ctx, j)
					}
				}
				publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
				first := run(t, b, bus.PoolOptions{Agent: "a", Worker: "first", AckWait: time.Hour, Handler: handler(time.Minute, tt.first)})
				await(t, "the first worker to take it", func() bool { return first.Stats().InUse == 1 })
				// Its heartbeat is broken: the broker goes by this shorter time.
				if err := b.EnsureConsumers(t.Context(), "a", ackWait); err != nil {
					t.Fatal(err)
				}
				second := run(t, b, bus.PoolOptions{Agent: "a", Worker: "second", AckWait: ackWait, Handler: handler(time.Second, tt.second)})
				got := result(t, b, "a", "x")
				if got.Success != tt.success || got.Meta.Worker != tt.worker {
					t.Errorf("result: got %s, want success=%v by %s", got.Payload, tt.success, tt.worker)
				}
				first.settlements(t, 1)
				second.settlements(t, 1)
				if again := result(t, b, "a", "x"); string(again.Payload) != string(got.Payload) {
					t.Errorf("result: was %s, became %s", got.Payload, again.Payload)
				}
				if _, err := b.DeadLetter(t.Context(), "a", "x"); (err == nil) == tt.success {
					t.Errorf("dead letter: got %v beside success=%v", err, tt.success)
				}
				emptied(t, b, "a")
				mustHold(t, b)
			})
		})
	}
}

// One id is published as many messages by clients that do not know the rules: there is
// one execution, one result, and each other message is recorded as a duplicate.
func TestManyMessagesWithOneIDGiveOneResult(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler bus.Handler
	}{
		{"it succeeds", answer},
		{"it fails for good", script(resilience.Permanent(errors.New("no")))},
		{"it is exhausted", script(errors.New("no"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				const n = 6
				for range n {
					send(t, b, "genesis.requests.a", `{"id":"x","prompt":"hi"}`)
				}
				p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 4, MaxAttempts: 3, Handler: tt.handler})
				emptied(t, b, "a")
				p.stop()
				got := mustHold(t, b)[0]
				if got.Results != 1 || got.Duplicates != n-1 || got.DeadLetters > 1 {
					t.Errorf("verify: got %+v, want one result and %d duplicates", got, n-1)
				}
				r := result(t, b, "a", "x")
				if r.Error != nil && r.Error.Code == bus.CodePoison {
					t.Errorf("result: got %s, want the handler's own failure", r.Payload)
				}
			})
		})
	}
}
