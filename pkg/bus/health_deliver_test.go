package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// A delivery runs until it is stopped.
type delivering struct {
	t      testing.TB
	cancel context.CancelFunc
	ended  chan struct{}
	mu     sync.Mutex
	got    []string // ids
}

// deliver delivers health events; do, unless nil, is the work with each.
func deliver(t testing.TB, b *bus.Bus, after uint64, do func(context.Context, bus.HealthDelivery) error) *delivering {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d := &delivering{t: t, cancel: cancel, ended: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(d.ended)
		err := b.DeliverHealth(ctx, "hook", after, func(ctx context.Context, e bus.HealthDelivery) error {
			d.mu.Lock()
			d.got = append(d.got, e.ID)
			d.mu.Unlock()
			if do == nil {
				return nil
			}
			return do(ctx, e)
		})
		if err != nil {
			t.Errorf("deliver: got %v, want nil", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return d
}

func (d *delivering) ids() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

// stop ends the delivery and returns how long that took.
func (d *delivering) stop() time.Duration {
	began := time.Now()
	d.cancel()
	<-d.ended
	return time.Since(began)
}

func TestADeliveryThatHasNothingToDoEndsAtOnce(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		d := deliver(t, b, 0, nil)
		spend(t.Context(), 62*time.Second)
		if took := d.stop(); took > 100*time.Millisecond {
			t.Errorf("the end: got after %v, want at once", took)
		}
	})
}

// delivered waits until so many events were handed over, and returns their ids.
func (d *delivering) delivered(n int) []string {
	d.t.Helper()
	await(d.t, "deliveries", func() bool { return len(d.ids()) >= n })
	return d.ids()
}

// named publishes an event of a component of its own, with that id.
func named(t testing.TB, b *bus.Bus, id string) uint64 {
	t.Helper()
	e := health(id, bus.StateDegraded)
	e.ID = id
	return publishHealth(t, b, e, 0)
}

func TestADeliveryGoesOnWhereTheLastOneHadCome(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		known := named(t, b, "before")
		named(t, b, "first") // before there is a consumer
		stuck := make(chan struct{})
		one := deliver(t, b, known, func(ctx context.Context, e bus.HealthDelivery) error {
			switch e.ID {
			case "second":
				return errors.New("refused") // it counts as delivered
			case "third":
				close(stuck)
				<-ctx.Done() // it does not lead any more
				return ctx.Err()
			}
			return nil
		})
		named(t, b, "second")
		named(t, b, "third")
		receive(t, "the third delivery", stuck)
		named(t, b, "fourth")
		one.stop()
		if got, want := one.ids(), []string{"first", "second", "third"}; !slices.Equal(got, want) {
			t.Errorf("delivered: got %q, want %q", got, want)
		}
		two := deliver(t, b, known, nil)
		if got, want := two.delivered(2), []string{"third", "fourth"}; !slices.Equal(got, want) {
			t.Errorf("delivered by the next: got %q, want %q", got, want)
		}
		named(t, b, "fifth")
		if got := two.delivered(3); got[2] != "fifth" {
			t.Errorf("delivered by the next: got %q, want the fifth", got)
		}
	})
}

func TestADeliveryGoesOnAfterAnOutageAndInAStreamMadeAnew(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		known := uint64(0)
		for _, id := range []string{"a", "b", "c"} {
			known = named(t, b, id)
		}
		d := deliver(t, b, known, nil)
		spend(t.Context(), time.Second)
		s.Down(t)
		spend(t.Context(), time.Minute)
		s.Restart(t)
		await(t, "the connection", b.Connected)
		named(t, b, "d")
		if got := d.delivered(1); got[0] != "d" {
			t.Errorf("delivered after the outage: got %q, want d", got)
		}
		if err := b.JetStream().DeleteStream(t.Context(), bus.StreamHealth); err != nil {
			t.Fatal(err)
		}
		createStreams(t, b)
		named(t, b, "e")
		if got := d.delivered(2); got[1] != "e" {
			t.Errorf("delivered from the new stream: got %q, want e", got)
		}
	})
}

func TestADeliverySaysHowManyWait(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		for _, id := range []string{"a", "b", "c"} {
			named(t, b, id)
		}
		waiting := make(chan uint64, 3)
		deliver(t, b, 0, func(_ context.Context, d bus.HealthDelivery) error {
			waiting <- d.Waiting
			return nil
		})
		for _, want := range []uint64{2, 1, 0} {
			if got := receive(t, "a delivery", waiting); got != want {
				t.Errorf("waiting: got %d, want %d", got, want)
			}
		}
	})
}
