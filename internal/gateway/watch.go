package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// The monitor that leads keeps the lease of this name.
const leaseMonitor = "monitor"

// staleRounds is how many rounds the monitor may miss before its word is old, and
// staleAfter the least time: its lease, which tells of them, is renewed once a second.
const (
	staleRounds = 3
	staleAfter  = 3 * time.Second
)

// Why nobody can tell how the system is.
const (
	whyUnheard  = "no monitor has been heard yet"
	whyNoBus    = "the message bus cannot be reached"
	whyNone     = "no monitor is running"
	whyRoundOff = "the monitor has not looked yet"
)

// watch follows what the monitor says and which workers there are, so that clients can
// be told at once. It asks nobody: what it knows is a second old.
type watch struct {
	bus       *bus.Bus
	connected func() bool

	mu      sync.Mutex
	leader  bus.Leadership
	said    *health.Overview // by the leader; nil: nobody can tell
	why     string           // nobody can tell
	round   time.Time        // the last round that was heard of, by the monitor's clock
	heard   time.Time        // when that was, by ours
	workers map[string]bus.WorkerLease
	seen    bool // workers holds all there are
}

func newWatch(b *bus.Bus) *watch {
	return &watch{bus: b, connected: b.Connected, why: whyUnheard, workers: make(map[string]bus.WorkerLease)}
}

// run follows until ctx ends; then it returns nil.
func (w *watch) run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return w.bus.FollowLeader(ctx, leaseMonitor, w.led) })
	g.Go(func() error {
		return w.bus.FollowWorkers(ctx, bus.WorkerFollower{
			Here: w.here, Left: w.gone, Lost: w.gone,
			Ready: func() { w.sees(true) },
			Blind: func() { w.sees(false) },
		})
	})
	return g.Wait()
}

// led takes what the leader says of the system.
func (w *watch) led(l bus.Leadership) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leader, w.said = l, nil
	if l.Holder == "" {
		w.why = whyNone
		return
	}
	var o health.Overview
	if err := json.Unmarshal(l.Note, &o); err != nil {
		w.why = "what the monitor says cannot be read: is it of another version?"
		return
	}
	if o.Round.IsZero() {
		w.why = whyRoundOff
		return
	}
	if !o.Round.Equal(w.round) {
		// A round that is made while this gateway listens is new, whatever the clocks say.
		// Of one made before, only the clocks can tell how old it is.
		if w.heard = now; w.round.IsZero() && o.Round.Before(now) {
			w.heard = o.Round
		}
		w.round = o.Round
	}
	w.said = &o
}

// overview is what the monitor says. Nil: nobody can tell, and why.
func (w *watch) overview() (*health.Overview, string) {
	connected := w.connected()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !connected {
		return nil, whyNoBus
	}
	if w.said == nil {
		return nil, w.why
	}
	interval := time.Duration(w.said.Interval * float64(time.Second))
	if age := time.Since(w.heard); interval > 0 && age > max(staleRounds*interval, staleAfter) {
		return nil, fmt.Sprintf("the monitor has not looked for %s", age.Round(time.Second))
	}
	return w.said, ""
}

// lead is who leads the monitors.
func (w *watch) lead() bus.Leadership {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leader
}

func (w *watch) here(l bus.WorkerLease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.workers[l.Name] = l
}

func (w *watch) gone(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.workers, name)
}

func (w *watch) sees(all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = all
}

// service is who serves an agent.
type service struct{ workers, slots, inUse int }

// services are those of all agents that anybody serves; false when it is not known.
// Who drains takes no more requests.
func (w *watch) services() (map[string]service, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]service)
	for _, l := range w.workers {
		if l.Draining {
			continue
		}
		for agent, load := range l.Agents {
			s := all[agent]
			all[agent] = service{s.workers + 1, s.slots + load.Slots, s.inUse + load.InUse}
		}
	}
	return all, w.seen
}
