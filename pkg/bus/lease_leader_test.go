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

func TestTheLeaderOfOneThatDiedLeadsWithinFiveSeconds(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var a annals
		first := a.contender(t, s, "first")
		a.leader(t)
		a.contender(t, s, "second")
		spend(t.Context(), 10*time.Second)
		if got := a.now(); !slices.Equal(got, []string{"first"}) {
			t.Fatalf("ten seconds later: got %v, want the first still to lead", got)
		}
		died := time.Now()
		first.bus.Conn().Close() // it does not know that it is dead
		await(t, "the first to stop", func() bool { return !slices.Contains(a.now(), "first") })
		if took := time.Since(died); took > 3*time.Second {
			t.Errorf("one without a broker led for %s, longer than its lease", took)
		}
		await(t, "the second to lead", func() bool { return slices.Contains(a.now(), "second") })
		if took := time.Since(died); took > 5*time.Second {
			t.Errorf("the next took over after %s, want at most 5s", took)
		}
		a.checkNoTwo(t)
	})
}

func TestOneThatEndsHandsOverWithinASecond(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var a annals
		first := a.contender(t, s, "first")
		a.leader(t)
		second := a.contender(t, s, "second")
		spend(t.Context(), 3300*time.Millisecond)
		first.stop()
		if who, took := a.leader(t); who != "second" || took > time.Second {
			t.Errorf("got %s after %s, want the second within a second", who, took)
		}
		second.stop()
		if _, err := second.bus.Leader(t.Context(), "m"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("who leads when all have ended: got %v, want not found", err)
		}
		a.checkNoTwo(t)
	})
}

func TestNobodyLeadsDuringAnOutageAndSomebodyAfterwards(t *testing.T) {
	for _, outage := range []time.Duration{0, time.Second, time.Minute} {
		t.Run(outage.String(), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				var a annals
				a.contender(t, s, "x")
				a.contender(t, s, "y")
				a.leader(t)
				for range 5 {
					spend(t.Context(), 5*time.Second)
					s.Down(t)
					spend(t.Context(), outage)
					if got := a.now(); outage > 3*time.Second && len(got) != 0 {
						t.Errorf("who leads without a broker: got %v, want nobody", got)
					}
					s.Restart(t)
					if _, took := a.leader(t); took > 10*time.Second {
						t.Errorf("after the outage nobody led for %s", took)
					}
					spend(t.Context(), 5*time.Second)
					a.checkNoTwo(t)
				}
			})
		})
	}
}

// The confirmation of a renewal is lost: the leader finds its own lease, and goes on.
func TestALostConfirmationCostsNoLead(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var a annals
		c := a.contender(t, s, "x")
		a.contender(t, s, "y")
		first, _ := a.leader(t)
		if first != "x" {
			t.Fatalf("got %s, want x to lead", first)
		}
		for range 5 {
			before := revision(t, c.bus, "leader.m")
			await(t, "a renewal", func() bool { return revision(t, c.bus, "leader.m") != before })
			spend(t.Context(), 990*time.Millisecond)
			c.wire.deafen(true) // the next renewal is stored
			spend(t.Context(), 20*time.Millisecond)
			c.wire.sever(true) // and its confirmation never comes
			c.wire.deafen(false)
			c.wire.sever(false)
			spend(t.Context(), 3*time.Second)
		}
		if len(a.reigns) != 1 {
			t.Errorf("got %d reigns, want one for all the time", len(a.reigns))
		}
	})
}

func TestALeadThatFailsGoesToTheNextAndComesBack(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		var mu sync.Mutex
		var began []string
		for _, name := range []string{"x", "y"} {
			ctx, stop := context.WithCancel(t.Context())
			runs(t, func() {
				err := b.Lead(ctx, bus.LeadOptions{Name: "m", Holder: name, Lead: func(ctx context.Context) error {
					mu.Lock()
					began = append(began, name)
					n := len(began)
					mu.Unlock()
					spend(ctx, time.Second)
					if n%2 == 0 {
						return nil
					}
					return errors.New("drill")
				}})
				if err != nil {
					t.Errorf("lead: %v", err)
				}
			})
			t.Cleanup(stop)
			spend(t.Context(), 100*time.Millisecond)
		}
		spend(t.Context(), 10*time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(began) < 8 {
			t.Fatalf("leads of a second within ten: got %v, want one after the other", began)
		}
		for i, name := range began {
			if want := []string{"x", "y"}[i%2]; name != want {
				t.Errorf("leads: got %v, want them by turns", began)
				break
			}
		}
	})
}

func TestOneThatEndsBeforeItLeadsLeavesNothing(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var a annals
		c := a.contender(t, s, "x")
		spend(t.Context(), 100*time.Millisecond)
		if l, err := c.bus.Leader(t.Context(), "m"); err != nil || len(a.now()) != 0 {
			t.Fatalf("after 100 ms: got %+v, %v, and %v lead, want the lease to be taken and nobody to lead yet", l, err, a.now())
		}
		c.stop()
		if l, err := c.bus.Leader(t.Context(), "m"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("who leads: got %+v, %v, want not found", l, err)
		}
	})
}

// The broker's marker of the lease before can come after the one who took the lease.
func TestALeaseThatAMarkerReplacesIsTakenAgain(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var a annals
		c := a.contender(t, s, "x")
		spend(t.Context(), 100*time.Millisecond)
		kv, err := c.bus.JetStream().KeyValue(t.Context(), "genesis_leases")
		if err != nil {
			t.Fatal(err)
		}
		if err := kv.Purge(t.Context(), "leader.m"); err != nil {
			t.Fatal(err)
		}
		spend(t.Context(), 300*time.Millisecond)
		if got := a.now(); len(got) != 0 {
			t.Errorf("leaders with a lease that is gone: got %v, want none", got)
		}
		if _, took := a.leader(t); took > time.Second {
			t.Errorf("nobody led for %s", took)
		}
	})
}

func TestALeaderWhoseLeaseWasRemovedStepsDown(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var a annals
		c := a.contender(t, s, "x")
		a.leader(t)
		a.contender(t, s, "y")
		spend(t.Context(), 5100*time.Millisecond)
		kv, err := c.bus.JetStream().KeyValue(t.Context(), "genesis_leases")
		if err != nil {
			t.Fatal(err)
		}
		if err := kv.Delete(t.Context(), "leader.m"); err != nil {
			t.Fatal(err)
		}
		spend(t.Context(), 1200*time.Millisecond)
		if got := a.now(); !slices.Equal(got, []string{"y"}) {
			t.Errorf("leaders: got %v, want y", got)
		}
	})
}

// Whatever somebody put there must not keep all from leading.
func TestWhatNoLeaderWroteIsReplaced(t *testing.T) {
	for _, text := range []string{"", "{", "null", `{"holder":"z"}`, `{"holder":"z","since":"2000-01-01T00:00:00Z","term":"1"}`} {
		t.Run(text, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				var a annals
				b := connectTo(t, s, quiet())
				kv, err := b.JetStream().KeyValue(t.Context(), "genesis_leases")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := kv.PutString(t.Context(), "leader.m", text); err != nil { // without a time to live
					t.Fatal(err)
				}
				if l, err := b.Leader(t.Context(), "m"); !errors.Is(err, bus.ErrNotFound) {
					t.Errorf("who leads: got %+v, %v, want not found", l, err)
				}
				a.contender(t, s, "x")
				if who, took := a.leader(t); who != "x" || took > time.Second {
					t.Errorf("got %s after %s, want x at once", who, took)
				}
			})
		})
	}
}

func TestLeadRefusesWhatCannotWork(t *testing.T) {
	b := connectTo(t, bustest.Start(t), quiet())
	lead := func(context.Context) error { return nil }
	for _, o := range []bus.LeadOptions{{Holder: "h", Lead: lead}, {Name: "m", Lead: lead}, {Name: "m", Holder: "h"}} {
		if err := b.Lead(t.Context(), o); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("%+v: got %v, want invalid", o, err)
		}
	}
}

// revision is the sequence of a key, as another client sees it.
func revision(t testing.TB, b *bus.Bus, key string) uint64 {
	t.Helper()
	kv, err := b.JetStream().KeyValue(t.Context(), "genesis_leases")
	if err != nil {
		t.Fatal(err)
	}
	e, err := kv.Get(t.Context(), key)
	if err != nil {
		return 0
	}
	return e.Revision()
}
