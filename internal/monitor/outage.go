package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// startGrace is how long the broker may be away after the start before that is an outage:
// programs that are started together come up in any order.
const startGrace = 5 * time.Second

// yieldAfter is how often another monitor that leads is heard and knows of no outage, until
// it was none. A lease from before the outage is heard once.
const yieldAfter = 3

// An outage is a loss of the broker that could not be told on the bus yet.
type outage struct {
	event  bus.HealthEvent
	after  uint64 // the component's last event before, as far as it is known
	posted bool   // the webhook was told
}

// tellOutage tells of the loss of the broker everywhere but on the bus, once; there the
// next leader tells it when the broker is back. Every monitor keeps it, because each may
// be the next leader; only the one that led last posts it to the webhook.
func (s *Server) tellOutage(changes []health.Change) {
	at := slices.IndexFunc(changes, func(c health.Change) bool { return c.Component == health.NATS() })
	if at < 0 || time.Since(s.started) < startGrace {
		return
	}
	s.mu.Lock()
	if s.outage != nil {
		s.mu.Unlock()
		return
	}
	o := outage{event: changes[at].Event, after: changes[at].After, posted: s.webhook != nil && s.led}
	o.event.ID = outageID(o.event.Time, o.after, s.yielded)
	kept := o
	s.outage = &kept
	s.mu.Unlock()
	s.tellHere(o.event, o.posted)
}

// outageID is the same for all monitors that tell of the same outage, in nearly all
// cases, so that a receiver knows it again: the hour, the last event before, and how
// often this monitor was wrong since.
func outageID(at time.Time, after uint64, yielded int) string {
	return fmt.Sprintf("nats-%s-%d-%d", at.UTC().Format("2006010215"), after, yielded)
}

// heard takes over what the bus tells of the broker, and reports whether the outage is
// still to be told there.
func (o *outage) heard(told health.Standing) bool {
	if told.State == o.event.Data.State || !told.Since.Before(o.event.Time) {
		return false // somebody told it
	}
	o.after, o.event.Data.Previous = told.Sequence, told.State
	return true
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
	defer s.webhook.client.CloseIdleConnections()
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
	if s.outage == nil {
		s.mu.Unlock()
		return true
	}
	o := *s.outage
	s.mu.Unlock()
	stored, err := s.publishOne(ctx, o.event, o.after)
	switch {
	case errors.Is(err, bus.ErrExists): // the one before was not the last
		s.resync(ctx)
		return false
	case err != nil:
		return false
	}
	s.commit(stored)
	return true
}

// reconsider settles whether there is an outage to be told of, now that the bus tells
// something of the broker. s.mu is held.
func (s *Server) reconsider() {
	if s.outage == nil {
		return
	}
	for _, told := range s.watch.Standings() {
		if told.Component == s.outage.event.Component && told.Sequence != s.outage.after && !s.outage.heard(told) {
			s.outage = nil
			return
		}
	}
}

// yieldOutage gives up an outage that was none: another monitor leads and knows of none,
// so only this monitor was cut off.
func (s *Server) yieldOutage() {
	s.mu.Lock()
	o := s.outage
	if o == nil || s.leader.Holder == "" || s.leader.Holder == s.name || s.leaderTells || s.leaderWords < yieldAfter {
		s.mu.Unlock()
		return
	}
	s.outage = nil
	s.yielded++
	s.mu.Unlock()
	s.tellHere(bus.HealthEvent{
		ID: bus.NewID(), Time: time.Now().UTC(), Component: o.event.Component,
		Data: bus.HealthData{
			State: bus.StateHealthy, Previous: o.event.Data.State,
			Reason: "this monitor reaches it again; the monitor that leads did not miss it",
		},
	}, o.posted)
}
