package bus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"genesis/pkg/bus"
)

// heard is what a follower of the health events was told.
type heard struct {
	stop func()

	mu     sync.Mutex
	events []string
	last   uint64 // a sequence
	ready  int    // how many times
}

func followHealth(t testing.TB, b *bus.Bus, o bus.HealthFollow) *heard {
	t.Helper()
	h := &heard{}
	ctx, stop := context.WithCancel(t.Context())
	o.Ready = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ready++
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		err := b.FollowHealth(ctx, o, func(e bus.StoredHealthEvent) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, fmt.Sprintf("%d %s %s", e.Sequence, e.Component, e.Data.State))
			h.last = e.Sequence
		})
		if err != nil {
			t.Errorf("follow health: %v", err)
		}
	})
	h.stop = func() { stop(); wg.Wait() }
	t.Cleanup(h.stop)
	return h
}

func (h *heard) told() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

func (h *heard) readies() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

// upTo waits until the follower has told all up to a sequence.
func (h *heard) upTo(t testing.TB, sequence uint64) {
	t.Helper()
	await(t, fmt.Sprint("event ", sequence), func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.last >= sequence
	})
}

// A teller publishes events of five agents.
type teller struct {
	bus  *bus.Bus
	last map[string]uint64 // by agent
}

// tell publishes n events, over outages.
func (w *teller) tell(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		agent := fmt.Sprint("a", i%5)
		await(t, "an event to be stored", func() bool {
			sequence, err := w.bus.PublishHealth(t.Context(), health(agent, bus.StateDegraded), w.last[agent])
			if err == nil {
				w.last[agent] = sequence
				return true
			}
			if last, err := w.bus.LastHealth(t.Context()); err == nil { // it may be stored all the same
				for _, e := range last {
					w.last[e.Component.Name] = e.Sequence
				}
			}
			return false
		})
	}
}
