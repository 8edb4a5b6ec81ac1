package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// What a consumer forgot stays in its queue for ever: neither a worker, which puts its
// consumers right at its start, nor a restart of the broker brings it back.
func TestWhatAConsumerForgotIsBroughtBackByNothingButARescue(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		for _, id := range []string{"x1", "x2"} {
			publish(t, b, bus.Envelope{Agent: "a", ID: id})
		}
		strand(t, b, 2)
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer, Logger: quiet()})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x3"})
		if !result(t, b, "a", "x3").Success {
			t.Error("x3 was not answered")
		}
		if limit := interactive(t, b).CachedInfo().Config.MaxDeliver; limit != -1 {
			t.Errorf("MaxDeliver once a worker has started: got %d, want -1", limit)
		}
		spend(t.Context(), 10*time.Minute)
		p.stop()
		s.Restart(t)
		await(t, "the connection", b.Connected)
		p = run(t, b, bus.PoolOptions{Agent: "a", Handler: answer, Logger: quiet()})
		spend(t.Context(), 10*time.Minute)
		if n := queued(t, b, "a"); n != 2 {
			t.Fatalf("queued after all that: got %d, want the 2 that were forgotten", n)
		}
		p.stop()
		mustBeRescued(t, b, rescues(t, b), "x1", "x2")
		if found := rescues(t, b); len(found) != 0 {
			t.Errorf("rescued again: %+v", found)
		}
	})
}

// The last message that was delivered holds the broker's ack floor back when it is
// forgotten.
func TestTheLastRequestOfALaneIsRescuedToo(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
		limits(t, b)
		pick(t, b, 1)
		spend(t.Context(), time.Minute) // its worker is dead
		if c := interactive(t, b).CachedInfo(); c.AckFloor.Stream != 0 || c.Delivered.Stream != 1 || c.NumAckPending != 0 {
			t.Errorf("the broker's view: got %+v, want an ack floor of 0 below what was delivered", c)
		}
		mustBeRescued(t, b, rescues(t, b), "x1")
		if limit := interactive(t, b).CachedInfo().Config.MaxDeliver; limit != -1 {
			t.Errorf("MaxDeliver after the rescue: got %d, want -1", limit)
		}
	})
}

// Whatever waits, runs, or comes back later is left alone.
func TestNothingThatWillBeDeliveredIsRescued(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		for i := range 6 {
			publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("x", i)})
		}
		publish(t, b, bus.Envelope{Agent: "a", ID: "y", Lane: bus.LaneBatch})
		taken := pick(t, b, 4)
		if err := errors.Join(taken[0].DoubleAck(t.Context()), taken[2].NakWithDelay(time.Hour), taken[3].Nak(), b.Conn().Flush()); err != nil {
			t.Fatal(err)
		}
		r := b.NewRescuer()
		for range 3 {
			if found := append(rescues(t, b), looked(t, r, b)...); len(found) != 0 {
				t.Fatalf("rescued: got %+v, want nothing", found)
			}
		}
		if n := queued(t, b, "a"); n != 6 {
			t.Errorf("queued: got %d, want 6", n)
		}
	})
}

func TestNothingIsRescuedFromBusyWorkers(t *testing.T) {
	b := connectTo(t, bustest.Start(t), quiet())
	createStreams(t, b, "a")
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: flaky, Slots: 20, Logger: quiet()})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	runs(t, func() { keepPublishing(ctx, b, "x", 0) })
	r := b.NewRescuer()
	for looks := 0; looks < 100 || len(p.settlements(t, 1)) < 500; looks++ {
		if found := append(rescues(t, b), looked(t, r, b)...); len(found) != 0 {
			t.Fatalf("rescued: got %+v, want nothing", found)
		}
	}
	stop()
	p.stop()
	mustHold(t, b)
}

// A rescue that comes too early costs a dead letter, never a second result.
func TestAWorkerThatLivesAfterAllFindsItsRequestAnswered(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		begun, end := make(chan struct{}), make(chan struct{})
		p := run(t, b, bus.PoolOptions{Agent: "a", Logger: quiet(), Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			close(begun)
			<-end
			return answer(ctx, j)
		}})
		await(t, "the worker's consumer", func() bool { return interactive(t, b).CachedInfo().NumWaiting > 0 })
		edits(t, b, func(cfg *jetstream.ConsumerConfig) { cfg.MaxDeliver, cfg.AckWait = 1, time.Second }) // shorter than its heartbeat
		publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
		receive(t, "the execution", begun)
		spend(t.Context(), 5*time.Second)
		mustBeRescued(t, b, rescues(t, b), "x1")
		close(end)
		if got := verdicts(t, p, 1); got[0] != bus.VerdictAnswered {
			t.Errorf("verdict of the worker: got %s, want %s", got[0], bus.VerdictAnswered)
		}
		if r := result(t, b, "a", "x1"); r.Success || r.Sequence != 1 {
			t.Errorf("result: got %+v, want the first, a failure", r)
		}
		mustHold(t, b)
	})
}

// A consumer that had another filter for a while has read on, and does not come back.
func TestWhatAConsumerPassedByIsDelivered(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		edits(t, b, func(cfg *jetstream.ConsumerConfig) {
			cfg.FilterSubject = bus.RequestSubject("a", bus.LaneInteractive, "other")
		})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
		if m, err := interactive(t, b).Next(jetstream.FetchMaxWait(time.Second)); err == nil {
			t.Fatalf("took %s, want nothing that matches", m.Subject())
		}
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer, Logger: quiet()}) // puts the filter right
		spend(t.Context(), time.Minute)
		if n := queued(t, b, "a"); n != 1 {
			t.Fatalf("queued while the worker works: got %d, want the one that was passed by", n)
		}
		r := b.NewRescuer()
		for range 2 {
			if found := looked(t, r, b); len(found) != 0 {
				t.Errorf("rescued: got %+v, want it delivered instead", found)
			}
		}
		if got := verdicts(t, p, 1); got[0] != bus.VerdictSuccess {
			t.Errorf("verdict: got %s, want %s", got[0], bus.VerdictSuccess)
		}
	})
}

func TestARescueNeedsAnAgentAndABroker(t *testing.T) {
	s := bustest.Start(t)
	b := connectTo(t, s, quiet())
	if _, err := b.Rescue(t.Context(), "nobody"); !errors.Is(err, bus.ErrUnknownAgent) {
		t.Errorf("rescue requests of nobody: got %v, want %v", err, bus.ErrUnknownAgent)
	}
	if _, err := b.Rescue(t.Context(), "NOBODY"); !errors.Is(err, bus.ErrInvalid) {
		t.Errorf("rescue requests of NOBODY: got %v, want %v", err, bus.ErrInvalid)
	}
	s.Down(t)
	await(t, "the outage", func() bool { return !b.Connected() })
	if _, err := b.Rescue(t.Context(), "a"); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("rescue without a broker: got %v, want %v", err, bus.ErrUnavailable)
	}
	s.Restart(t)
}
