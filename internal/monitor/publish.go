package monitor

import (
	"context"
	"errors"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// publishPatience bounds the publishing of one round's changes. What is left over is
// decided anew in the next round.
const publishPatience = 10 * time.Second

// publish tells the bus of changes. Each is published only if its component's last event
// is still the one that it was judged from; so a change is told once, whoever leads.
func (s *Server) publish(ctx context.Context, changes []health.Change) {
	ctx, cancel := context.WithTimeout(ctx, publishPatience)
	defer cancel()
	if !s.publishOutage(ctx) {
		return
	}
	for _, c := range changes {
		stored, err := s.publishOne(ctx, eventOf(c), c.After)
		switch {
		case errors.Is(err, bus.ErrExists): // it is told of, by follow
			s.log.Debug("the state of a component was not the one it was judged from", "component", c.Component.String())
			s.resync(ctx)
			return
		case err != nil:
			return // logged; the change stands until it is told
		default:
			s.alert(stored.HealthEvent)
			s.commit(stored)
		}
	}
}

// eventOf is the event that tells of a change.
func eventOf(c health.Change) bus.HealthEvent {
	c.Event.ID = bus.NewID()
	return c.Event
}

func (s *Server) publishOne(ctx context.Context, event bus.HealthEvent, after uint64) (bus.StoredHealthEvent, error) {
	stored := bus.StoredHealthEvent{HealthEvent: event}
	var raced error
	err := s.publishing.Do(ctx, func(ctx context.Context) (err error) {
		stored.Sequence, err = s.bus.PublishHealth(ctx, event, after)
		if errors.Is(err, bus.ErrExists) {
			raced, err = err, nil
		}
		return err
	})
	if err == nil && raced == nil {
		s.metrics.events.WithLabelValues(string(event.Component.Kind), string(event.Data.State)).Inc()
	}
	return stored, errors.Join(err, raced)
}

// alert is the guide's alert_unhealthy and alert_recovered: a line in the log, for those
// who watch no more than that. The webhook follows the stream of the events.
func (s *Server) alert(e bus.HealthEvent) {
	args := []any{
		"component", e.Component.String(), "state", string(e.Data.State), "previous", string(e.Data.Previous), "reason", e.Data.Reason,
		"event", e.ID,
	}
	switch e.Data.State {
	case bus.StateHealthy:
		s.log.Info("alert_recovered", args...)
	case bus.StateUnhealthy:
		s.log.Error("alert_unhealthy", args...)
	default:
		s.log.Warn("alert_degraded", args...)
	}
}

// follow keeps up with the events on the bus until ctx ends. The last event of a
// component is its state.
func (s *Server) follow(ctx context.Context) error {
	last, ok := s.remember(ctx)
	if !ok {
		return nil
	}
	s.heard.Store(last)
	caughtUp := func() {
		if s.recalled() {
			s.resync(ctx) // this may be another stream than before: see below
		} else {
			close(s.caught)
		}
		s.wake()
	}
	return s.bus.FollowHealth(ctx, bus.HealthFollow{Last: true, Ready: caughtUp}, func(e bus.StoredHealthEvent) {
		if e.Sequence <= last && !s.recalled() {
			s.feed.recall(e)
		} else {
			s.heard.Store(e.Sequence)
			s.feed.add(e)
		}
		s.commit(e)
	})
}

// recalled tells whether the states were read from the bus.
func (s *Server) recalled() bool {
	select {
	case <-s.caught:
		return true
	default:
		return false
	}
}

// rememberAge is how old the events are that a monitor shows from before its start.
const rememberAge = 24 * time.Hour

// remember reads the events of the last day as soon as the broker is there, and returns
// the sequence of the last one of all. It returns false when ctx ended before.
func (s *Server) remember(ctx context.Context) (last uint64, ok bool) {
	for {
		last, err := s.rememberOnce(ctx)
		if err == nil {
			return last, true
		}
		s.log.Debug("read the health events", "error", err)
		select {
		case <-ctx.Done():
			return 0, false
		case <-time.After(time.Second):
		}
	}
}

func (s *Server) rememberOnce(ctx context.Context) (last uint64, err error) {
	for e, err := range s.bus.HealthEvents(ctx, bus.HealthFilter{}) {
		if err != nil {
			return 0, err
		}
		if last = e.Sequence; time.Since(e.Time) < rememberAge {
			s.feed.recall(e)
		}
	}
	return last, nil
}

// resync reads the states anew: another monitor was faster, or somebody has removed
// events or the whole stream, so that sequences begin anew and the new events do not tell
// of what the old ones did. States that were committed meanwhile may be newer than what was read: then it
// reads once more.
func (s *Server) resync(ctx context.Context) {
	for {
		s.mu.Lock()
		before := s.commits
		s.mu.Unlock()
		states, err := s.bus.LastHealth(ctx)
		if err != nil {
			s.log.Warn("the states of the components cannot be read", "error", err)
			return
		}
		s.mu.Lock()
		same := s.commits == before
		if same {
			s.watch.Restore(states)
			s.reconsider()
		}
		s.mu.Unlock()
		if same {
			return
		}
	}
}
