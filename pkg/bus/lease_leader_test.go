package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// A reign is one time that somebody led.
type reign struct {
	holder   string
	from, to time.Time // to: zero while it lasts
}

// annals record who led when.
type annals struct {
	mu     sync.Mutex
	reigns []*reign
}

func (a *annals) begin(holder string) *reign {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &reign{holder: holder, from: time.Now()}
	a.reigns = append(a.reigns, r)
	return r
}

func (a *annals) end(r *reign) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.to = time.Now()
}

// now is who leads, all of them.
func (a *annals) now() (holders []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.reigns {
		if r.to.IsZero() {
			holders = append(holders, r.holder)
		}
	}
	return holders
}

// checkNoTwo fails the test when two led at the same time.
func (a *annals) checkNoTwo(t testing.TB) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, r := range a.reigns {
		if i > 0 && (a.reigns[i-1].to.IsZero() || r.from.Before(a.reigns[i-1].to)) {
			t.Errorf("two lead: %s from %s, and %s until %s", r.holder, r.from, a.reigns[i-1].holder, a.reigns[i-1].to)
		}
	}
}

// A contender wants to lead "m".
type contender struct {
	name string
	bus  *bus.Bus
	wire *wire
	stop func() // ends it, and waits
}

func (a *annals) contender(t testing.TB, s *bustest.Server, name string) *contender {
	t.Helper()
	b, w := wired(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	c := &contender{name: name, bus: b, wire: w}
	var wg sync.WaitGroup
	wg.Go(func() {
		err := b.Lead(ctx, bus.LeadOptions{
			Name: "m", Holder: name,
			Describe: func() any { return map[string]string{"by": name} },
			Lead: func(ctx context.Context) error {
				r := a.begin(name)
				defer a.end(r)
				<-ctx.Done()
				return nil
			},
		})
		if err != nil {
			t.Errorf("lead: %v", err)
		}
	})
	c.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(c.stop)
	return c
}

// leader waits until somebody leads, and returns how long that took.
func (a *annals) leader(t testing.TB) (string, time.Duration) {
	t.Helper()
	began := time.Now()
	await(t, "a leader", func() bool { return len(a.now()) == 1 })
	return a.now()[0], time.Since(began)
}

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

// Three contend, their connections break or go deaf, and the broker restarts.
func TestTwoNeverLeadAtTheSameTime(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				r := rand.New(rand.NewPCG(seed, 4)) //nolint:gosec // a script
				var a annals
				all := make([]*contender, 3)
				for i := range all {
					all[i] = a.contender(t, s, fmt.Sprint("c", i))
				}
				for range 40 {
					some := all[r.IntN(len(all))]
					if who := a.now(); len(who) == 1 && r.IntN(3) > 0 { // mostly the one who leads
						some = all[slices.IndexFunc(all, func(c *contender) bool { return c.name == who[0] })]
					}
					long := time.Duration(r.Int64N(int64(6 * time.Second)))
					switch r.IntN(5) {
					case 0:
						some.wire.sever(true)
						spend(t.Context(), long)
						some.wire.sever(false)
					case 1:
						some.wire.deafen(true)
						spend(t.Context(), long)
						some.wire.deafen(false)
					case 2:
						some.wire.deafen(true)
						spend(t.Context(), long)
						some.wire.sever(true)
						some.wire.deafen(false)
						some.wire.sever(false)
					case 3:
						s.Down(t)
						spend(t.Context(), long/2)
						s.Restart(t)
					default:
						spend(t.Context(), long)
					}
					a.checkNoTwo(t)
				}
				a.leader(t)
				a.mu.Lock()
				defer a.mu.Unlock()
				if len(a.reigns) < 3 {
					t.Errorf("got %d reigns, want the lead to change", len(a.reigns))
				}
				t.Logf("%d reigns", len(a.reigns))
			})
		})
	}
}
