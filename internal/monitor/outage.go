package monitor

import (
	"context"
	"errors"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// led is how long after its lead a monitor still speaks for all: the connection whose
// loss it tells of took the lead with it.
const led = 10 * time.Second

// startGrace is how long the broker may be away after the start before that is an outage:
// programs that are started together come up in any order.
const startGrace = 5 * time.Second

// An outage is a loss of the broker that could not be told on the bus yet.
type outage struct {
	event  bus.HealthEvent
	after  uint64 // the component's last event before
	posted bool   // the webhook was told
}

// tellOutage tells of the loss of the broker everywhere but on the bus, once; there the
// next leader tells it when the broker is back. Every monitor keeps it, because each may
// be the next leader; only the one that led posts it to the webhook.
func (s *Server) tellOutage(changes []health.Change) {
	if time.Since(s.started) < startGrace {
		return
	}
	for _, c := range changes {
		if c.Component.Kind != bus.KindDependency {
			continue
		}
		s.mu.Lock()
		known := s.outage != nil
		if !known {
			posted := s.webhook != nil && (s.leading.Load() || time.Since(s.ledAt) < led)
			s.outage = &outage{event: eventOf(c), after: c.After, posted: posted}
		}
		o := *s.outage
		s.mu.Unlock()
		if !known {
			s.tellHere(o.event, o.posted)
		}
	}
}

// tellHere tells of an event that the bus does not know.
func (s *Server) tellHere(e bus.HealthEvent, post bool) {
	s.alert(e)
	s.feed.add(bus.StoredHealthEvent{HealthEvent: e})
	if !post {
		return
	}
	select {
	case s.urgent <- e:
	default:
		s.metrics.posted(webhookDropped)
	}
}

// postUrgent posts what cannot wait for the bus, until ctx ends.
func (s *Server) postUrgent(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-s.urgent:
			_ = s.webhook.ahead(ctx, e) // it is counted and logged
		}
	}
}

// publishOutage puts an outage on the bus that was told elsewhere, before anything
// else. It says whether there is none left.
func (s *Server) publishOutage(ctx context.Context) bool {
	s.mu.Lock()
	o := s.outage
	s.mu.Unlock()
	if o == nil {
		return true
	}
	stored, err := s.publishOne(ctx, o.event, o.after)
	if err != nil && !errors.Is(err, bus.ErrExists) {
		return false
	}
	s.mu.Lock()
	s.outage = nil
	s.mu.Unlock()
	if err == nil {
		s.commit(stored)
	}
	return true
}

// yieldOutage gives up an outage that was none: another monitor leads, so the broker was
// there, and only this monitor was cut off from it.
func (s *Server) yieldOutage() {
	s.mu.Lock()
	o := s.outage
	s.outage = nil
	s.mu.Unlock()
	if o == nil {
		return
	}
	s.tellHere(bus.HealthEvent{
		ID: bus.NewID(), Time: time.Now().UTC(), Component: o.event.Component,
		Data: bus.HealthData{State: bus.StateHealthy, Previous: o.event.Data.State, Reason: "only this monitor was cut off from the message bus"},
	}, o.posted)
}
