package worker

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"time"

	"golang.org/x/sync/errgroup"

	"genesis/pkg/bus"
)

// httpPatience is how long the last answers of the HTTP server may take.
const httpPatience = 5 * time.Second

// Run executes requests until ctx ends, then drains: the pools stop taking, finish
// what they hold within worker.drain_timeout and give the rest back; after them the
// HTTP server stops, so that it tells of the drain. It returns nil after a drain, and
// the error when an agent's queue cannot be used or the HTTP server fails; then it
// drains as well. The bus stays open; the caller closes it.
func (s *Server) Run(ctx context.Context) error {
	defer func() { _ = s.listener.Close() }() // the HTTP server does, unless it was not reached
	if s.own {
		defer func() { _ = s.registry.Close() }() // idle connections, nothing to lose
	}
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		return errors.Join(s.execute(working), s.stopHTTP(ctx))
	})
	s.log.Info("ready", "url", s.URL(), "agents", s.names)
	return group.Wait()
}

// execute runs all pools in their policies, and takes commands, until ctx ends and
// what is held is done.
func (s *Server) execute(ctx context.Context) error {
	control, err := s.o.Bus.ServeWorker(semver(s.o.Version), s.pools, s.verbs())
	if err != nil {
		return err
	}
	defer func() {
		if err := control.Close(); err != nil {
			s.log.Debug("stop serving commands", "error", err)
		}
	}()
	group, working := errgroup.WithContext(ctx)
	guarding, unguard := context.WithCancel(context.WithoutCancel(ctx)) // to the end of the drain
	defer unguard()
	for _, run := range s.beside() {
		group.Go(func() error { return run(guarding) })
	}
	group.Go(func() error {
		defer unguard()
		return s.runPools(working)
	})
	return group.Wait()
}

// beside is what runs to the end of the drain: the lease of this worker, and what
// policies need besides calls: votes on breakers, leases of tokens, and drills.
func (s *Server) beside() []func(context.Context) error {
	return append(s.guards.runs(), s.announce, s.link.Run,
		func(ctx context.Context) error { return s.o.Bus.ShareBreakers(ctx, s.guards.breakers, s.o.Name) },
		func(ctx context.Context) error { return s.o.Bus.FollowChaos(ctx, s.guards.chaos) })
}

// verbs are the commands of operators, besides those about requests.
func (s *Server) verbs() map[string]bus.ControlFunc {
	verbs := s.o.Bus.BreakerVerbs(s.o.Name, s.guards.breakers)
	maps.Copy(verbs, s.o.Bus.ChaosVerbs(s.o.Name, s.o.Config.Environment, s.guards.chaos))
	return verbs
}

// runPools runs all pools until ctx ends or one of them fails.
func (s *Server) runPools(ctx context.Context) error {
	pools, working := errgroup.WithContext(ctx)
	pools.Go(func() error {
		<-working.Done() // the end of ctx, or a pool that failed
		s.beginDrain(working)
		return nil
	})
	for _, name := range s.names {
		pools.Go(func() error {
			s.running.Add(1)
			defer s.running.Add(-1)
			err := s.pools[name].Run(working)
			if working.Err() != nil && errors.Is(err, context.Canceled) {
				return nil // told to stop before it had begun
			}
			return err
		})
	}
	err := pools.Wait()
	s.log.Info("drained")
	return err
}

func (s *Server) beginDrain(ctx context.Context) {
	s.draining.Store(true)
	executing := 0
	for _, pool := range s.pools {
		executing += pool.Stats().InUse
	}
	s.log.Info("draining", "reason", context.Cause(ctx), "executing", executing, "limit", s.o.Config.Worker.DrainTimeout.String())
}

// stopHTTP lets the answers under way finish.
func (s *Server) stopHTTP(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpPatience)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

// semverPattern is the one of semver.org.
const semverPattern = `^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`

// semver is a version as NATS micro services demand one.
func semver(version string) string {
	if regexp.MustCompile(semverPattern).MatchString(version) {
		return version
	}
	return "0.0.0-dev"
}
