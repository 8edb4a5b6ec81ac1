package worker

import (
	"context"
	"maps"
	"strings"
	"sync"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// maxTripText bounds why a breaker opened, in bytes.
const maxTripText = 256

// announce tells the system that this worker is there, until ctx ends: to the end of
// the drain, so that nobody takes a worker that finishes its work for one that died.
func (s *Server) announce(ctx context.Context) error {
	return s.o.Bus.AnnounceWorker(ctx, s.lease)
}

// lease is what the system knows of this worker. It is written each second.
func (s *Server) lease() bus.WorkerLease {
	l := bus.WorkerLease{
		Name: s.o.Name, Version: s.o.Version, Started: s.started.UTC(), Draining: s.draining.Load(),
		Agents: make(map[string]bus.AgentLoad, len(s.pools)),
	}
	for name, pool := range s.pools {
		stats := pool.Stats()
		requests, failed := s.counters.Ended(name)
		l.Agents[name] = bus.AgentLoad{Slots: stats.Slots, InUse: stats.InUse, Requests: requests, Errors: failed}
	}
	why := s.trips.all()
	for _, b := range s.guards.breakers.Stats() {
		load := bus.BreakerLoad{Name: b.Name, State: b.State, Isolated: isolated(&b)}
		if b.State != resilience.StateClosed {
			load.Reason = why[b.Name]
		}
		l.Breakers = append(l.Breakers, load)
	}
	return l
}

// isolated tells whether an operator holds a breaker open: it will not probe.
func isolated(b *resilience.BreakerStats) bool {
	return b.State == resilience.StateOpen && b.NextProbeAt == nil
}

// trips remember why each breaker opened. The zero value knows of none.
type trips struct {
	mu  sync.Mutex
	why map[string]string
}

// observe is a resilience.Observer.
func (t *trips) observe(e resilience.Event) {
	if e.Kind != resilience.EventTrip {
		return
	}
	why := e.Reason
	if e.Err != nil {
		text := strings.Join(strings.Fields(e.Err.Error()), " ")
		why += ": " + strings.ToValidUTF8(text[:min(len(text), maxTripText)], "")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why == nil {
		t.why = make(map[string]string)
	}
	t.why[e.Name] = why
}

func (t *trips) all() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.why)
}
