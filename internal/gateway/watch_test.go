package gateway

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// beside runs f until the test ends or stop is called.
func beside(t testing.TB, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f(ctx); err != nil {
			t.Errorf("beside: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// monitor leads as a monitor does that says this of the system.
func monitor(t testing.TB, b *bus.Bus, overview func() health.Overview) (stop func()) {
	t.Helper()
	return beside(t, func(ctx context.Context) error {
		return b.Lead(ctx, bus.LeadOptions{
			Name: leaseMonitor, Holder: "m1", Describe: func() any { return overview() },
			Lead: func(ctx context.Context) error { <-ctx.Done(); return nil },
		})
	})
}

// worker announces a worker.
func worker(t testing.TB, b *bus.Bus, lease bus.WorkerLease) (stop func()) {
	t.Helper()
	return beside(t, func(ctx context.Context) error {
		return b.AnnounceWorker(ctx, func() bus.WorkerLease { return lease })
	})
}

// serving is the lease of a worker that serves agents with four slots each, one in use.
func serving(name string, agents ...string) bus.WorkerLease {
	l := bus.WorkerLease{Name: name, Version: "test", Started: time.Now(), Agents: make(map[string]bus.AgentLoad)}
	for _, agent := range agents {
		l.Agents[agent] = bus.AgentLoad{Slots: 4, InUse: 1}
	}
	return l
}

// well is what a monitor says when all is well.
func well() health.Overview {
	return health.Overview{
		Status: health.StatusHealthy, Message: "all systems are operational", AffectedServices: []string{},
		Round: time.Now(), Interval: 1, Components: []health.Ill{},
	}
}

// led is a leadership with this overview.
func led(t testing.TB, o health.Overview) bus.Leadership {
	t.Helper()
	note, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return bus.Leadership{Holder: "m1", Since: time.Now(), Note: note}
}

// told is a watch that does not look, but is told.
func told() *watch {
	w := newWatch(nil)
	w.connected = func() bool { return true }
	return w
}

func TestTheWordOfAMonitorGrowsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := told()
		check := func(when, want string) {
			t.Helper()
			said, why := w.overview()
			if (said == nil) != (want != "") || !strings.Contains(why, want) {
				t.Errorf("%s: got %v, %q; want unknown because %q", when, said, why, want)
			}
		}
		check("at the start", "no monitor has been heard yet")
		w.led(bus.Leadership{})
		check("nobody leads", "no monitor is running")
		w.led(bus.Leadership{Holder: "m1", Note: []byte(`{"round":4}`)})
		check("it speaks otherwise", "cannot be read")
		w.led(led(t, health.Overview{Status: health.StatusHealthy, Interval: 30}))
		check("it has just begun", "has not looked yet")

		o := well()
		o.Interval, o.Round = 30, time.Now().Add(-100*time.Second)
		w.led(led(t, o))
		check("a round that was there before", "the monitor has not looked for 1m40s")
		o.Round = o.Round.Add(30 * time.Second) // its clock is late, but it does look
		w.led(led(t, o))
		check("a new round", "")
		for range 90 { // it leads on, but does not look
			time.Sleep(time.Second)
			w.led(led(t, o))
		}
		check("three intervals later", "")
		time.Sleep(time.Second)
		check("a second later", "the monitor has not looked for 1m31s")
		w.led(bus.Leadership{})
		w.led(led(t, o))
		check("the same round, told anew", "the monitor has not looked for 1m31s")
		o.Round = time.Now().Add(time.Hour) // its clock is early
		w.led(led(t, o))
		check("a round from the future", "")
		time.Sleep(91 * time.Second)
		check("and later", "has not looked")
	})
}

// The lease tells of a round once a second, however many there are.
func TestAMonitorWithQuickRoundsIsNotOldBetweenTwoRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := told()
		for i := range 50 {
			if i%12 == 0 { // renewals come a little late
				o := well()
				o.Interval = 0.1
				w.led(led(t, o))
			}
			if said, why := w.overview(); said == nil {
				t.Fatalf("%d ms after a renewal: got unknown, %q", i%12*100, why)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if said, _ := w.overview(); said != nil {
			t.Error("ten seconds later: got known, want unknown")
		}
	})
}

func TestWhoDrainsServesNobody(t *testing.T) {
	w := told()
	if _, known := w.services(); known {
		t.Error("before a look: got known, want unknown")
	}
	drains := serving("w3", "echo", "probe")
	drains.Draining = true
	for _, l := range []bus.WorkerLease{serving("w1", "echo"), serving("w2", "echo"), drains} {
		w.here(l)
	}
	w.sees(true)
	got, known := w.services()
	if want := (service{2, 8, 2}); !known || got["echo"] != want || got["probe"] != (service{}) {
		t.Errorf("got %+v %v, want %+v for echo alone", got, known, want)
	}
	w.gone("w1")
	if got, _ := w.services(); got["echo"] != (service{1, 4, 1}) {
		t.Errorf("without w1: got %+v", got)
	}
	w.sees(false)
	if _, known := w.services(); known {
		t.Error("blind: got known, want unknown")
	}
}

func TestBreakersAreAsMostWorkersHaveThem(t *testing.T) {
	for _, tt := range []struct {
		states   string // of the workers: c, o, h, and i for isolated
		want     string
		isolated bool
	}{
		{"c", "closed", false},
		{"o", "open", false},
		{"h", "half_open", false},
		{"co", "closed", false},
		{"coo", "open", false},
		{"oh", "half_open", false},
		{"cch", "closed", false},
		{"choo", "half_open", false},
		{"cci", "open", true},
	} {
		w := told()
		for i, state := range tt.states {
			b := bus.BreakerLoad{Name: "llm"}
			b.State = map[rune]string{'c': "closed", 'o': "open", 'i': "open", 'h': "half_open"}[state]
			if b.Isolated = state == 'i'; state != 'c' {
				b.Reason = string(state)
			}
			l := serving(string(rune('a' + i)))
			l.Breakers = []bus.BreakerLoad{{Name: "another", State: "closed"}, b}
			w.here(l)
		}
		views, _ := w.breakers()
		if len(views) != 2 || views[0].Name != "another" || views[0].State != "closed" || views[0].Closed != len(tt.states) {
			t.Fatalf("%s: got %+v, want another, closed everywhere, and llm", tt.states, views)
		}
		v := views[1]
		if v.State != tt.want || v.Isolated != tt.isolated || v.Closed != strings.Count(tt.states, "c") || v.Closed+v.Open+v.HalfOpen != len(tt.states) {
			t.Errorf("%s: got %+v, want %s", tt.states, v, tt.want)
		}
		if tt.isolated && v.Reason != "i" || (v.Reason == "") != (strings.Trim(tt.states, "c") == "") {
			t.Errorf("%s: got the reason %q", tt.states, v.Reason)
		}
	}
}

func TestAMonitorThatDiedIsMissedWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Start(t, bustest.NoListen())
		cfg := configured()
		w := newWatch(connect(t, s, cfg))
		beside(t, w.run)
		dies := connect(t, s, cfg)
		monitor(t, dies, well)
		worker(t, dies, serving("w1", "echo"))
		time.Sleep(10 * time.Second)
		if said, why := w.overview(); said == nil || said.Status != health.StatusHealthy {
			t.Fatalf("while it leads: got %+v, %s", said, why)
		}
		if by, known := w.services(); !known || by["echo"].workers != 1 {
			t.Fatalf("while w1 is there: got %v %v", by, known)
		}
		dies.Conn().Close() // no farewell, as after kill -9
		time.Sleep(5 * time.Second)
		if said, why := w.overview(); said != nil || why != whyNone {
			t.Errorf("five seconds later: got %+v, %q; want unknown: %s", said, why, whyNone)
		}
		if by, known := w.services(); !known || len(by) != 0 {
			t.Errorf("five seconds later: got %v %v, want that nobody serves", by, known)
		}
	})
}

func TestAnOutageOfTheBrokerIsNoLossOfWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Start(t, bustest.NoListen())
		cfg := configured()
		w := newWatch(connect(t, s, cfg))
		beside(t, w.run)
		worker(t, connect(t, s, cfg), serving("w1", "echo"))
		time.Sleep(2 * time.Second)
		s.Down(t)
		time.Sleep(time.Minute)
		if _, known := w.services(); known {
			t.Error("during the outage: got known, want unknown")
		}
		if said, why := w.overview(); said != nil || why != whyNoBus {
			t.Errorf("during the outage: got %+v, %q; want unknown: %s", said, why, whyNoBus)
		}
		s.Restart(t)
		for range 20 {
			time.Sleep(time.Second)
			if by, known := w.services(); known && by["echo"].workers != 1 {
				t.Fatalf("after the outage: got %v, want w1 as before", by)
			}
		}
		if _, known := w.services(); !known {
			t.Error("20 s after the outage: got unknown, want known")
		}
	})
}
