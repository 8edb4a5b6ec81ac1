package bus_test

import (
	"slices"
	"testing"
	"time"

	"genesis/pkg/bus/bustest"
)

func TestARestartOfTheBrokerLosesNoWorkerThatLives(t *testing.T) {
	for _, outage := range []time.Duration{0, 2 * time.Second, time.Minute} {
		t.Run(outage.String(), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connectTo(t, s, quiet())
				r := followWorkers(t, b)
				late := announce(t, s, "a") // comes back later than the others
				announce(t, s, "b")
				announce(t, s, "c")
				dead, polite := announce(t, s, "dead"), announce(t, s, "polite")
				spend(t.Context(), 10*time.Second)
				for range 3 {
					s.Down(t)
					dead.bus.Conn().Close() // once
					late.wire.sever(true)
					spend(t.Context(), outage)
					s.Restart(t)
					spend(t.Context(), 3*time.Second)
					late.wire.sever(false)
					spend(t.Context(), 10*time.Second)
				}
				polite.stop()
				spend(t.Context(), 10*time.Second)
				got, want := r.told(), []string{"lost dead", "left polite"}
				if len(got) != 7 || !slices.Equal(got[5:], want) {
					t.Errorf("told over three outages of %s: got %q, want five to be here, and %q", outage, got, want)
				}
				if !r.has("blind") {
					t.Error("the follower did not say that it was blind")
				}
			})
		})
	}
}

func TestAFollowerThatWasAwayTellsWhatHappened(t *testing.T) {
	for _, tt := range []struct {
		name   string
		away   time.Duration
		polite string
	}{
		{"a short time", 20 * time.Second, "left polite"},
		{"longer than a farewell is kept", 3 * time.Minute, "lost polite"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b, w := wired(t, s)
				r := followWorkers(t, b)
				polite, dead := announce(t, s, "polite"), announce(t, s, "dead")
				announce(t, s, "alive")
				spend(t.Context(), 10*time.Second)
				w.sever(true)
				spend(t.Context(), time.Second)
				polite.stop()
				dead.bus.Conn().Close()
				announce(t, s, "new")
				spend(t.Context(), tt.away)
				w.sever(false)
				spend(t.Context(), 10*time.Second)
				got, want := r.told(), []string{"here polite", "here dead", "here alive", tt.polite, "here new", "lost dead"}
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("told: got %q, want %q", got, want)
				}
			})
		})
	}
}

// While nobody can write, as while the leader of a stream is elected, all leases expire;
// afterwards they are renewed at once.
func TestLeasesThatExpireAndAreRenewedAtOnceLoseNobody(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		r := followWorkers(t, b)
		w := announce(t, s, "a")
		spend(t.Context(), 10*time.Second)
		for range 3 {
			before := stored(t, b, "KV_genesis_leases")
			w.wire.sever(true)
			await(t, "the lease to expire", func() bool { return revision(t, b, "worker.a") == 0 })
			w.wire.sever(false)
			spend(t.Context(), 10*time.Second)
			if got := stored(t, b, "KV_genesis_leases"); got != before {
				t.Errorf("messages in the bucket: got %d, want %d", got, before)
			}
		}
		if got, want := r.told(), []string{"here a"}; !slices.Equal(got, want) {
			t.Errorf("told: got %q, want %q", got, want)
		}
	})
}

// The follower's watch dies while its connection stands, as when the server that keeps
// its consumer dies and another one is connected.
func TestAWatchThatDiesIsMadeAnew(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		r := followWorkers(t, b)
		a := announce(t, s, "a")
		announce(t, s, "b")
		spend(t.Context(), 10*time.Second)
		stream, err := b.JetStream().Stream(t.Context(), "KV_genesis_leases")
		if err != nil {
			t.Fatal(err)
		}
		for name := range stream.ConsumerNames(t.Context()).Name() {
			if err := stream.DeleteConsumer(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		a.bus.Conn().Close()
		died := time.Now()
		await(t, "a death to be noticed", func() bool { return r.has("lost a") })
		if took := time.Since(died); took > 10*time.Second {
			t.Errorf("a death was noticed after %s, want at most 10s", took)
		}
		if got := r.told(); len(got) != 3 {
			t.Errorf("told: got %q, want two to be here, and one of them lost", got)
		}
	})
}

func TestWhoeverIsBlindLosesNobody(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		other := connectTo(t, s, quiet())
		b, w := wired(t, s)
		r := followWorkers(t, b)
		a := announce(t, s, "a")
		spend(t.Context(), 10*time.Second)
		a.wire.sever(true)
		await(t, "the lease to expire", func() bool { return revision(t, other, "worker.a") == 0 })
		w.sever(true)
		a.wire.sever(false)
		spend(t.Context(), 10*time.Second)
		w.sever(false)
		spend(t.Context(), 10*time.Second)
		if got, want := r.told(), []string{"here a"}; !slices.Equal(got, want) {
			t.Errorf("told: got %q, want %q", got, want)
		}
	})
}

func TestAFollowerWhoseConnectionIsClosedIsBlind(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		r := followWorkers(t, b)
		await(t, "the first look", func() bool { return r.has("ready") })
		b.Conn().Close()
		spend(t.Context(), time.Second)
		if !r.has("blind") {
			t.Error("it did not say so")
		}
	})
}
