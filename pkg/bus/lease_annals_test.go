package bus_test

import (
	"context"
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
