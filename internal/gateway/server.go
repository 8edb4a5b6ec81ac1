package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"genesis/internal/config"
	"genesis/internal/keys"
	"genesis/internal/program"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

const (
	// maxHeader bounds the header of a call.
	maxHeader = 32 << 10
	// sendOff is how long those who wait get to be sent away before the listener closes.
	sendOff = time.Second
)

// Options are what a gateway is made of. Config and Bus are needed.
type Options struct {
	Config *config.Config
	// Bus is connected and prepared; it stays the caller's, who closes it after Run.
	Bus *bus.Bus
	// Log receives what operators should know; nil discards it.
	Log *slog.Logger
	// Version is what the gateway says it is.
	Version string
	// OperatorToken opens /health/detailed; empty keeps it shut.
	OperatorToken string
	// Tracing makes and exports the spans of calls. Nil: none are made.
	Tracing *telemetry.Tracing
	// DataDir is the broker's, when that runs in this process: its disk is shown in the
	// health. Empty: it is elsewhere.
	DataDir string
}

// A Server is a gateway. Make it with [New].
type Server struct {
	cfg     *config.Config
	bus     *bus.Bus
	log     *slog.Logger
	version string
	started time.Time

	access  *access
	rates   *rates
	agents  *catalog
	replies *bus.Replies
	waiters *waiters
	metrics *metrics
	tracing *telemetry.Tracing

	watch     *watch
	link      *telemetry.Link
	resources *telemetry.Resources

	listener net.Listener
	handler  http.Handler
	draining atomic.Bool
}

// New makes a gateway and binds its listener, so that whatever is wrong with the
// configuration, the API keys or the address is known before anything runs. Call
// Run, or Close when it will not be run.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: o.Config, bus: o.Bus, log: o.Log, version: o.Version, started: time.Now(),
		tracing: o.Tracing,
		rates:   newRates(o.Config.Gateway.RateLimit, time.Now),
		agents:  &catalog{bus: o.Bus},
		waiters: &waiters{max: o.Config.Gateway.MaxWaiters},
		watch:   newWatch(o.Bus), link: telemetry.NewLink(o.Bus), resources: telemetry.NewResources(o.DataDir),
	}
	store, err := openKeys(o.Config, o.Log)
	if err != nil {
		return nil, err
	}
	s.access = newAccess(o.Config, store, o.OperatorToken)
	s.metrics = s.newMetrics()
	if s.handler, err = s.routes(); err != nil {
		return nil, err
	}
	if s.listener, err = program.Listen(o.Config.Gateway.HTTP, "--http"); err != nil {
		return nil, err
	}
	if s.replies, err = o.Bus.NewReplies("gw-" + uuid.NewString()); err != nil {
		return nil, errors.Join(err, s.listener.Close())
	}
	return s, nil
}

// openKeys opens the API keys. A gateway that needs them does not start without the
// file: it could serve nobody.
func openKeys(cfg *config.Config, log *slog.Logger) (*keys.Store, error) {
	path := cfg.Gateway.KeysFile
	if path == "" {
		if !cfg.KeysRequired() {
			return nil, nil //nolint:nilnil // there are none, and that is no error
		}
		return nil, fmt.Errorf("gateway.keys_file is not set: in %s, and on an address that is not loopback, clients need API keys: set it and run `genesis keys add NAME`", cfg.Environment)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && cfg.KeysRequired() {
		return nil, fmt.Errorf("the API keys (gateway.keys_file) are not at %s: run `genesis keys add NAME`, or check the path", path)
	}
	store, err := keys.Open(path)
	if err != nil {
		return nil, err
	}
	if store.Len() == 0 && cfg.KeysRequired() {
		log.Warn("there are no API keys, so every call is refused: run `genesis keys add NAME`", "file", path)
	}
	return store, nil
}

// URL is where the gateway is called. A listener on every address is named by loopback.
func (s *Server) URL() string {
	addr := s.listener.Addr().String()
	if tcp, ok := s.listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		addr = fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return "http://" + addr
}

// Close releases what New took, when Run is not called.
func (s *Server) Close() error {
	s.replies.Close()
	return s.listener.Close()
}

// Run serves until ctx ends, then drains: readiness turns to 503, callers who wait are
// answered with 202, and calls under way are finished within gateway.drain_timeout.
// It returns when everything it started has stopped; nil after a drain, however short.
func (s *Server) Run(ctx context.Context) error {
	defer s.replies.Close()
	calls, sendAway := context.WithCancelCause(context.WithoutCancel(ctx))
	defer sendAway(nil)
	server := s.httpServer(calls)
	var wg sync.WaitGroup
	defer wg.Wait()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	for _, follow := range []func(context.Context) error{s.watch.run, s.link.Run} {
		wg.Go(func() {
			if err := follow(watching); err != nil {
				s.log.Error("what the gateway says of the system is old", "error", err)
			}
		})
	}
	ended := make(chan error, 1)
	wg.Go(func() { ended <- server.Serve(s.listener) })
	if _, err := s.agents.refresh(ctx); err != nil { // the first call asks again
		s.log.Warn("the agents are not known yet", "error", err)
	}
	s.log.Info("the gateway is listening", "url", s.URL(), "version", s.version)
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.drain(ctx, server, sendAway)
	return nil
}

func (s *Server) httpServer(calls context.Context) *http.Server {
	g := s.cfg.Gateway
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: g.ReadTimeout.Std(),
		ReadTimeout:       g.ReadTimeout.Std(),
		IdleTimeout:       g.IdleTimeout.Std(),
		// Only what nobody else bounds: a response starts its own clock (writeTimeout).
		WriteTimeout:   g.ReadTimeout.Std() + maxWait + 2*askPatience + writeTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return calls },
	}
}

// drain ends the calls: first those that only wait, while the listener still answers
// readiness with 503, then all others.
func (s *Server) drain(ctx context.Context, server *http.Server, sendAway context.CancelCauseFunc) {
	limit := s.cfg.Gateway.DrainTimeout.Std()
	s.log.Info("the gateway is draining", "reason", context.Cause(ctx), "waiters", s.waiters.count(), "at_most", limit.String())
	s.draining.Store(true)
	sendAway(errDraining)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	gone := time.NewTimer(sendOff)
	defer gone.Stop()
	select {
	case <-s.waiters.idle():
	case <-gone.C:
	case <-ctx.Done():
	}
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, server.Close())
		s.log.Warn("the gateway stopped before every call was answered; what was accepted is not lost", "error", err)
		return
	}
	s.log.Info("the gateway has stopped")
}
