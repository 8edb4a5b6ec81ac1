package monitor

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// leaderName is the lease that monitors contend for.
const leaderName = "monitor"

// contend leads whenever nobody else does, until ctx ends. The lease carries the overview,
// so that whoever looks at it knows at once that health is watched, and how it is.
func (s *Server) contend(ctx context.Context) error {
	return s.bus.Lead(ctx, bus.LeadOptions{
		Name: leaderName, Holder: s.name, Describe: func() any { return s.overview() }, Lead: s.lead,
	})
}

// lead does what only one monitor does, until ctx ends. What the last leader had not told
// yet, the round that is due at once tells.
func (s *Server) lead(ctx context.Context) error {
	s.log.Info("this monitor leads")
	s.mu.Lock()
	s.led = true
	s.mu.Unlock()
	defer func() {
		s.verifier.forget()
		s.log.Info("this monitor does not lead any more")
		s.news.ring()
	}()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.speak(ctx) })
	group.Go(func() error { return s.verifier.run(ctx) })
	group.Go(func() error { return s.rescue(ctx) })
	return group.Wait()
}

// speak makes this monitor the one that tells of changes, until ctx ends: from when it
// knows what was told before. The webhook is told of all that comes after.
func (s *Server) speak(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.caught:
	}
	after := s.heard.Load()
	s.leading.Store(true)
	s.wake()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		<-ctx.Done()
		s.leading.Store(false) // at once: another one may lead before all has ended
		return nil
	})
	if s.webhook != nil {
		group.Go(func() error { return s.webhook.run(ctx, s.bus, after) })
	}
	return group.Wait()
}

// overview is what the leader's lease says. Before the states were read from the bus,
// nobody knows them.
func (s *Server) overview() health.Overview {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := health.NewOverview(s.standings(), s.looked, s.interval(), s.thresholds.Digest())
	if !s.recalled() && s.outage == nil {
		o.Round, o.Status, o.AffectedServices = time.Time{}, health.StatusDegraded, []string{bus.ComponentMonitor}
		o.Message = "it is not known yet how the components are: this monitor has not read that from the message bus"
	}
	return o
}

// standings are the states of all components that were ever told of, the outage
// included that the bus does not know yet. s.mu is held.
func (s *Server) standings() []health.Standing {
	all := s.watch.Standings()
	if s.outage == nil {
		return all
	}
	e := s.outage.event
	all = slices.DeleteFunc(all, func(known health.Standing) bool { return known.Component == e.Component })
	return append(all, health.Standing{
		Component: e.Component, State: e.Data.State, Since: e.Time, Reason: e.Data.Reason, Affects: e.Data.AffectedServices,
	})
}

// followLeader knows who leads, and notices a leader that judges by other thresholds.
func (s *Server) followLeader(ctx context.Context) error {
	warned := ""
	return s.bus.FollowLeader(ctx, leaderName, func(l bus.Leadership) {
		var o health.Overview
		readable := json.Unmarshal(l.Note, &o) == nil
		other := l.Holder != "" && l.Holder != s.name
		s.mu.Lock()
		changed := s.leader.Holder != l.Holder
		s.leader = l
		s.leaderTells = slices.ContainsFunc(o.Components, func(c health.Ill) bool { return c.Component == health.NATS().String() })
		if changed {
			s.leaderWords = 0
		}
		s.leaderWords++
		if other {
			s.led = false
		}
		s.mu.Unlock()
		if changed {
			s.news.ring()
		}
		if !other || !readable || o.Config == s.thresholds.Digest() || warned == l.Holder+o.Config {
			return
		}
		warned = l.Holder + o.Config
		s.log.Warn("the monitor that leads judges by other thresholds than this one: give all monitors the same configuration",
			"leader", l.Holder, "its_thresholds", o.Config, "own_thresholds", s.thresholds.Digest())
	})
}
