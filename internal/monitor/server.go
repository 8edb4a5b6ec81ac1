package monitor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"genesis/internal/config"
	"genesis/internal/health"
	"genesis/internal/monitor/console"
	"genesis/internal/program"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// Options are what a monitor is made of. Config and Bus are needed.
type Options struct {
	Config *config.Config
	// Bus may connect later. Its streams are prepared by the monitor. It stays the
	// caller's, who closes it after Run.
	Bus *bus.Bus
	// Log receives what operators should know; nil discards it.
	Log     *slog.Logger
	Version string
	// OperatorToken opens /health/detailed; empty keeps it shut.
	OperatorToken string
	// DataDir is where the broker's data are, when they are on this machine; empty: they
	// are not, or nobody knows.
	DataDir string
}

// A Server is a monitor. Make it with [New], run it once.
type Server struct {
	cfg     *config.Config
	bus     *bus.Bus
	log     *slog.Logger
	version string
	token   string
	name    string // of this replica
	started time.Time

	thresholds health.Thresholds
	looker     *looker
	staff      *staff
	link       *telemetry.Link
	tally      *tally
	verifier   *verifier
	webhook    *webhook // nil: none is wanted
	metrics    *metrics
	feed       *feed
	console    *console.Console
	resources  *telemetry.Resources
	rounds     *telemetry.Operation
	publishing *telemetry.Operation
	rescuing   *telemetry.Operation

	due      chan struct{}        // holds a token when a round is due before its time
	surveys  chan bus.Survey      // the last one, for the rescue
	urgent   chan bus.HealthEvent // for the webhook
	news     bell                 // rings when there is something new to show
	leading  atomic.Bool
	draining atomic.Bool
	caught   chan struct{} // closed when all events that were stored at the start have been heard
	heard    atomic.Uint64 // the sequence of the last event
	listener net.Listener

	mu       sync.Mutex
	cut      context.CancelFunc // ends the look of the round under way
	watch    *health.Watch
	commits  uint64 // events that the watch was told of
	snapshot health.Snapshot
	known    health.Snapshot // the last one that was not blind
	made     int             // rounds
	looked   time.Time       // when the last round ended, by this machine's clock
	history  *history

	leader      bus.Leadership
	leaderWords int     // how often it was heard, once a second
	leaderTells bool    // of an outage of the broker
	led         bool    // this monitor led last, as far as it knows
	outage      *outage // nil: none, or none that the bus does not know
	yielded     int     // outages that were none
}

// New checks everything and binds the listener. The broker need not be there. Call Run,
// or Close when it will not be run.
func New(o Options) (*Server, error) {
	if o.Config == nil || o.Bus == nil {
		return nil, errors.New("monitor: Config and Bus are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: o.Config, bus: o.Bus, version: o.Version, token: o.OperatorToken, name: replicaName(), started: time.Now(),
		thresholds: o.Config.Monitor.HealthThresholds(), resources: telemetry.NewResources(o.DataDir), feed: newFeed(),
		due: make(chan struct{}, 1), caught: make(chan struct{}), surveys: make(chan bus.Survey, 1), urgent: make(chan bus.HealthEvent, maxPosted), history: newHistory(o.Config.Monitor.History),
	}
	s.log = o.Log.With("monitor", s.name)
	s.watch = health.NewWatch(s.thresholds)
	s.metrics = newMetrics(o.Version)
	s.metrics.registry.MustRegister(newPicture(s))
	operations := telemetry.NewOperations(s.metrics.registry, s.log)
	s.rounds = operations.Operation("round")
	s.publishing = operations.Operation("publish_event")
	s.rescuing = operations.Operation("rescue")
	s.staff, s.link, s.tally = newStaff(s.wake), telemetry.NewLink(o.Bus), newTally(o.Bus)
	s.link.Changed = s.linkChanged
	s.verifier = &verifier{bus: o.Bus, log: s.log, every: o.Config.Monitor.VerifyInterval.Std(), operation: operations.Operation("verify"), changed: s.wake}
	var err error
	if s.looker, err = newLooker(o.Config, o.Bus, s.staff, s.tally, s.link); err != nil {
		return nil, err
	}
	if hook := o.Config.Monitor.Webhook; hook.URL != "" {
		if s.webhook, err = newWebhook(hook, operations.Operation("webhook"), s.metrics.posted); err != nil {
			return nil, err
		}
	}
	if s.console, err = console.New(console.Options{View: s.view, Changed: s.news.rung, Version: o.Version, Log: s.log}); err != nil {
		return nil, err
	}
	if s.listener, err = program.Listen(o.Config.Monitor.HTTP, "--http"); err != nil {
		return nil, err
	}
	return s, nil
}

// URL is where the monitor is called.
func (s *Server) URL() string { return urlOf(s.listener) }

// Close releases what New took, when Run is not called.
func (s *Server) Close() error { return s.listener.Close() }

// Run watches until ctx ends, then leaves the lead and stops. It returns nil then, and an
// error when HTTP cannot be served. A broker that is away is waited for all the while.
func (s *Server) Run(ctx context.Context) error {
	server := s.newHTTP()
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-working.Done()
		return s.stopHTTP(working, server)
	})
	for _, run := range []func(context.Context) error{
		s.prepare,
		s.link.Run,
		s.follow,
		s.followLeader,
		func(ctx context.Context) error { return s.bus.FollowWorkers(ctx, s.staff.follower()) },
		s.watchRounds,
		s.contend,
		s.serveControl,
	} {
		group.Go(func() error { return run(working) })
	}
	if s.webhook != nil {
		group.Go(func() error { return s.postUrgent(working) })
	}
	s.log.Info("ready", "url", s.URL())
	err := group.Wait()
	s.log.Info("the monitor has stopped")
	return err
}

// prepare makes the streams that all share whenever the broker comes; it may come back
// empty. The queues of agents are made by those who serve them or publish to them. Streams
// that contradict the contract are named, and watched all the same.
func (s *Server) prepare(ctx context.Context) error {
	shared := *s.cfg
	shared.Agents = nil
	connected := s.bus.Conn().StatusChanged(nats.CONNECTED)
	defer s.bus.Conn().RemoveStatusListener(connected)
	for {
		if err := program.PrepareOnceThere(ctx, s.bus, &shared, s.log); err != nil {
			s.log.Error("the streams are not as they should be", "error", err)
		}
		s.wake()
		select {
		case <-ctx.Done():
			return nil
		case <-connected:
		}
	}
}

// wake makes a round due.
func (s *Server) wake() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

func (s *Server) interval() time.Duration { return s.cfg.Monitor.Interval.Std() }

// replicaName names a monitor: host, process, and chance.
func replicaName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "monitor"
	}
	var chance [3]byte
	_, _ = rand.Read(chance[:]) // it never fails
	return host[:min(len(host), 40)] + "-" + hex.EncodeToString(chance[:])
}
