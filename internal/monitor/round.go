package monitor

import (
	"context"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// minRound is the least time between two rounds, however much happens.
const minRound = 500 * time.Millisecond

// blindPatience bounds the publishing while the broker seems to be of no use.
const blindPatience = 2 * time.Second

// watchRounds makes a round now, one every interval, and one out of turn when something
// happened that cannot wait so long: the connection or a worker came or went, or the lead
// was taken over.
func (s *Server) watchRounds(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	least := min(minRound, s.interval())
	turn := time.Now().Add(-s.interval()) // when the last round in turn was made
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.due:
		}
		early := time.Since(turn) < s.interval()-least
		if !early {
			turn = time.Now()
		}
		s.round(ctx, early)
		rest := time.NewTimer(least)
		select {
		case <-ctx.Done():
			rest.Stop()
			return nil
		case <-rest.C:
		}
		timer.Reset(max(s.interval()-time.Since(turn), 0))
	}
}

// round looks at everything, judges it and, in the monitor that leads, tells of what changed.
func (s *Server) round(ctx context.Context, early bool) {
	began := time.Now()
	var seen health.Snapshot
	_ = s.rounds.Do(ctx, func(ctx context.Context) (err error) { // it logs
		ctx, cut := context.WithCancel(ctx)
		defer cut()
		s.mu.Lock()
		s.cut = cut
		s.mu.Unlock()
		seen, err = s.looker.look(ctx)
		return err
	})
	if ctx.Err() != nil {
		return
	}
	seen.Ledger = s.verifier.ledger()
	judged := health.Judge(seen, s.thresholds)
	judged.Early = early
	s.mu.Lock()
	s.snapshot, s.looked = seen, time.Now()
	if !judged.Blind {
		s.known = seen
	}
	s.made++
	s.history.add(&seen)
	changes := s.watch.Observe(judged)
	s.mu.Unlock()
	s.tell(ctx, judged.Blind, changes)
	s.metrics.rounds.Inc()
	s.metrics.seconds.Observe(time.Since(began).Seconds())
	s.news.ring()
}

// tell tells of what changed: the monitor that leads on the bus, and every monitor of an
// outage, in which nobody can lead.
func (s *Server) tell(ctx context.Context, blind bool, changes []health.Change) {
	lead := s.leading.Load()
	switch {
	case blind:
		s.tellOutage(changes)
		if lead && s.bus.Connected() { // perhaps it is of some use
			ctx, cancel := context.WithTimeout(ctx, blindPatience)
			defer cancel()
			s.publishOutage(ctx)
		}
	case lead:
		s.publish(ctx, changes)
		s.offer(s.looker.survey)
	default:
		s.yieldOutage()
	}
}

// linkChanged makes a round due when the connection was made or lost. A look that waits for
// answers which will not come is cut off.
func (s *Server) linkChanged() {
	s.mu.Lock()
	if s.cut != nil && !s.bus.Connected() {
		s.cut()
	}
	s.mu.Unlock()
	s.wake()
}

// commit takes over an event that is stored, whoever published it. Its own the monitor
// hears of once more, in the order of the stream: what is shown is fed by that.
func (s *Server) commit(e bus.StoredHealthEvent) {
	s.mu.Lock()
	s.watch.Commit(e)
	s.commits++
	s.reconsider()
	s.mu.Unlock()
	s.news.ring()
}
