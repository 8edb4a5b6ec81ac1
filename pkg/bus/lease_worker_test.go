package bus_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// A roll is what a follower of the workers was told.
type roll struct {
	mu     sync.Mutex
	events []string // without renewals
	here   map[string]bus.WorkerLease
}

func followWorkers(t testing.TB, b *bus.Bus) *roll {
	t.Helper()
	r := &roll{here: map[string]bus.WorkerLease{}}
	ctx, stop := context.WithCancel(t.Context())
	say := func(what string) func() {
		return func() { r.say(what) }
	}
	runs(t, func() {
		err := b.FollowWorkers(ctx, bus.WorkerFollower{
			Begin: say("begin"), Ready: say("ready"), Blind: say("blind"),
			Here: func(l bus.WorkerLease) {
				r.mu.Lock()
				defer r.mu.Unlock()
				if _, known := r.here[l.Name]; !known {
					r.events = append(r.events, "here "+l.Name)
				}
				r.here[l.Name] = l
			},
			Left: func(name string) { r.gone("left ", name) },
			Lost: func(name string) { r.gone("lost ", name) },
		})
		if err != nil {
			t.Errorf("follow the workers: %v", err)
		}
	})
	t.Cleanup(stop)
	return r
}

func (r *roll) say(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, what)
}

func (r *roll) gone(how, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.here, name)
	r.events = append(r.events, how+name)
}

// told is what was told of workers, without the words about the looks.
func (r *roll) told() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if strings.Contains(e, " ") {
			out = append(out, e)
		}
	}
	return out
}

func (r *roll) has(event string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.events, event)
}

// An announced worker announces itself until it is stopped.
type announcedWorker struct {
	bus  *bus.Bus
	wire *wire
	stop func()
}

func announce(t testing.TB, s *bustest.Server, name string) *announcedWorker {
	t.Helper()
	b, w := wired(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	started := time.Now().UTC()
	var wg sync.WaitGroup
	wg.Go(func() {
		err := b.AnnounceWorker(ctx, func() bus.WorkerLease {
			return bus.WorkerLease{
				Name: name, Version: "v1", Started: started,
				Agents:   map[string]bus.AgentLoad{"echo": {Slots: 10, InUse: int(time.Since(started) / time.Second), Requests: 3, Errors: 1}},
				Breakers: []bus.BreakerLoad{{Name: "llm", State: "open", Isolated: true, Reason: "drill"}},
			}
		})
		if err != nil {
			t.Errorf("announce %s: %v", name, err)
		}
	})
	a := &announcedWorker{bus: b, wire: w, stop: func() { cancel(); wg.Wait() }}
	t.Cleanup(a.stop)
	return a
}

func names(leases []bus.WorkerLease) (out []string) {
	for _, l := range leases {
		out = append(out, l.Name)
	}
	return out
}

func TestAWorkerIsThereAtOnceAndItsLeaseSaysHowItDoes(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		r := followWorkers(t, b)
		await(t, "the first look", func() bool { return r.has("ready") })
		odd := "pod *7* > of.west/ü"
		for _, name := range []string{"b", odd, "a"} {
			announce(t, s, name)
		}
		spend(t.Context(), 100*time.Millisecond)
		got, want := r.told(), []string{"here a", "here b", "here " + odd}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("told 100 ms later: got %q, want %q", got, want)
		}
		spend(t.Context(), 10*time.Second)
		all, err := b.Workers(t.Context())
		if err != nil || !slices.Equal(names(all), []string{"a", "b", odd}) {
			t.Fatalf("workers: got %q, %v, want them by name", names(all), err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, l := range []bus.WorkerLease{all[0], r.here["a"]} {
			if l.Version != "v1" || l.Started.IsZero() || l.Agents["echo"].Slots != 10 || l.Agents["echo"].InUse < 9 || len(l.Breakers) != 1 || !l.Breakers[0].Isolated {
				t.Errorf("the lease after ten seconds: got %+v, want what the worker says now", l)
			}
		}
	})
}

func TestAFarewellIsToldFromADeath(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		r := followWorkers(t, b)
		polite, dead := announce(t, s, "polite"), announce(t, s, "dead")
		spend(t.Context(), 7*time.Second)
		polite.stop()
		spend(t.Context(), 100*time.Millisecond)
		if got := r.told(); len(got) != 3 || got[2] != "left polite" {
			t.Fatalf("told after a farewell: got %q, want two to be here and one to have left", got)
		}
		dead.bus.Conn().Close()
		died := time.Now()
		await(t, "a death to be noticed", func() bool { return r.has("lost dead") })
		if took := time.Since(died); took > 5*time.Second {
			t.Errorf("a death was noticed after %s, want at most 5s", took)
		}
		spend(t.Context(), 2*time.Minute) // the markers go away, too
		if got := len(r.told()); got != 4 {
			t.Errorf("told: got %q, want each end once", r.told())
		}
		if all, err := b.Workers(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("workers: got %q, %v, want none", names(all), err)
		}
		if got := stored(t, b, "KV_genesis_leases"); got != 0 {
			t.Errorf("what their leases left in the bucket: got %d messages, want none", got)
		}
	})
}

func stored(t testing.TB, b *bus.Bus, stream string) uint64 {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func TestWhatNoWorkerWroteIsSkippedAndLoggedOnce(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var mu sync.Mutex
		var lines []string
		b := connectTo(t, s, testLogTo(func(line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		}))
		r := followWorkers(t, b)
		spend(t.Context(), time.Second)
		kv, err := b.JetStream().KeyValue(t.Context(), "genesis_leases")
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{"", "{", "null", "[]", `{"name":""}`, `{"name":"other"}`, `{"name":7}`}
		for range 3 {
			for i, text := range texts {
				if _, err := kv.PutString(t.Context(), "worker.w"+string(rune('0'+i)), text); err != nil {
					t.Fatal(err)
				}
			}
		}
		announce(t, s, "good")
		spend(t.Context(), 10*time.Second)
		if got, want := r.told(), []string{"here good"}; !slices.Equal(got, want) {
			t.Errorf("told: got %q, want %q", got, want)
		}
		mu.Lock()
		if got := len(lines); got != len(texts) {
			t.Errorf("log: got %d lines, want one for each of %d keys: %q", got, len(texts), lines)
		}
		mu.Unlock()
		if all, err := b.Workers(t.Context()); err != nil || !slices.Equal(names(all), []string{"good"}) {
			t.Errorf("workers: got %q, %v, want the good one", names(all), err)
		}
	})
}

// Tokens of rate limits are in the same bucket, and change all the time.
func TestOnlyLeasesOfWorkersAreFollowed(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, testLogTo(func(line string) { t.Errorf("logged: %s", line) }))
		r := followWorkers(t, b)
		kv, err := b.JetStream().KeyValue(t.Context(), "genesis_leases")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"tokens.llm", "leader.monitor", "worker", "worker.a.b"} {
			if _, err := kv.PutString(t.Context(), key, "x"); err != nil {
				t.Fatal(err)
			}
		}
		spend(t.Context(), 5*time.Second)
		if got := r.told(); len(got) != 0 {
			t.Errorf("told: got %q, want nothing", got)
		}
	})
}

func TestAWorkerNeedsAName(t *testing.T) {
	b := connectTo(t, bustest.Start(t), quiet())
	if err := b.AnnounceWorker(t.Context(), func() bus.WorkerLease { return bus.WorkerLease{} }); !errors.Is(err, bus.ErrInvalid) {
		t.Errorf("announce a worker without a name: got %v, want invalid", err)
	}
}
