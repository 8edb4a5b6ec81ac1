package bus_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// A program may start before its broker. All that follows or announces waits for it.
func TestWhatStartsBeforeTheBrokerWorksWhenItIsThere(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		connectTo(t, s, quiet()) // makes the streams
		s.Down(t)
		b, err := bus.Connect(t.Context(), bus.Options{InProcess: s.InProcess(), Background: true, Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		ctx, stop := context.WithCancel(t.Context())
		leads, told := make(chan bool, 1), make(chan bus.Leadership, 100)
		for name, f := range map[string]func() error{
			"announce": func() error {
				return b.AnnounceWorker(ctx, func() bus.WorkerLease { return bus.WorkerLease{Name: "w"} })
			},
			"lead": func() error {
				return b.Lead(ctx, bus.LeadOptions{Name: "m", Holder: "h", Lead: func(ctx context.Context) error {
					leads <- true
					<-ctx.Done()
					return nil
				}})
			},
			"follow the leader": func() error {
				return b.FollowLeader(ctx, "m", func(l bus.Leadership) {
					select {
					case told <- l:
					default:
					}
				})
			},
		} {
			runs(t, func() {
				if err := f(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		t.Cleanup(stop)
		r := followWorkers(t, b)
		h := followHealth(t, b, bus.HealthFollow{Last: true})
		if l := receive(t, "the word that nobody leads", told); l.Holder != "" {
			t.Errorf("told before there is a broker: got %+v, want nobody", l)
		}
		spend(t.Context(), time.Minute)
		s.Restart(t)
		began := time.Now()
		receive(t, "the lead", leads)
		if l := receive(t, "the leader", told); l.Holder != "h" {
			t.Errorf("told: got %+v, want h", l)
		}
		await(t, "the worker", func() bool { return slices.Contains(r.told(), "here w") })
		h.upTo(t, publishHealth(t, b, health("x", bus.StateDegraded), 0))
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
