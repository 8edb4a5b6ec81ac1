// Package worker is the program that executes requests: a pool of slots for each
// agent that it serves, each with its own queue, and an HTTP server for its health
// and metrics.
//
// It puts parts together: agents and their ladders come from the configuration,
// the bus fetches and settles, resilience runs each provider in its policies, telemetry
// counts. A breaker that shuts every way to answer stops the fetching, too.
// What an error means to the queue is decided in package bus, from the verdict in
// the error; nothing here acknowledges a message. Any number of workers may serve
// the same agents.
package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/internal/telemetry"
	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// Options say what a worker serves. Config and Bus are needed; the streams and
// consumers of the agents must be there (program.Prepare).
type Options struct {
	Config *config.Config
	Bus    *bus.Bus
	// Log nil discards it.
	Log     *slog.Logger
	Version string
	// Name of this replica in results, the ledger and dead letters: up to 64
	// printable characters without spaces. Empty: made of host, process and chance.
	Name string
	// Agents to serve. Empty: worker.agents of the configuration, or all.
	Agents []string
	// Registry holds the agents; the caller closes it. Nil: they are made from the
	// configuration. An agent that is not in the configuration has its defaults. The
	// policies of the configuration are for agents made from it.
	Registry *agents.Registry
	// OperatorToken opens /health/detailed. Empty: it stays shut.
	OperatorToken string
	// Exit ends the process when a probe is told to; os.Exit in a program. Nil, and
	// production, refuse it.
	Exit func(code int)
	// Tracing makes and exports the spans of requests. Nil: none are made.
	Tracing *telemetry.Tracing
	// DataDir is the broker's, when that runs in this process: its disk is shown in the
	// health. Empty: it is elsewhere.
	DataDir string
}

// Server is a worker. Make it with [New], run it once.
type Server struct {
	o        Options
	log      *slog.Logger
	registry *agents.Registry
	own      bool // the registry is closed by the worker
	names    []string
	guards   *guards
	pools    map[string]*bus.Pool
	users    map[string][]*bus.Pool // by provider: those whose agents call it
	listener net.Listener
	http     *http.Server
	started  time.Time

	link      *telemetry.Link
	resources *telemetry.Resources
	trips     trips
	counters  *telemetry.Worker

	running  atomic.Int32 // pools at work
	draining atomic.Bool
}

// New checks everything and listens on worker.http. Nothing is fetched and no HTTP
// request is answered before [Server.Run], which also frees what New took. An agent
// that nobody knows is a program.ErrUsage that names a near one.
func New(o Options) (*Server, error) {
	if o.Config == nil || o.Bus == nil {
		return nil, errors.New("worker: Config and Bus are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Name == "" {
		o.Name = replicaName()
	} else if err := checkName(o.Name); err != nil {
		return nil, err
	}
	s := &Server{
		o: o, log: o.Log.With("worker", o.Name), registry: o.Registry,
		pools: make(map[string]*bus.Pool), users: make(map[string][]*bus.Pool), started: time.Now(),
		link: telemetry.NewLink(o.Bus), resources: telemetry.NewResources(o.DataDir),
	}
	metrics := telemetry.NewRegistry("worker", o.Version)
	s.counters = telemetry.NewWorker(metrics)
	var err error
	observer := resilience.JoinObservers(s.counters.ObservePolicy, policyLog(s.log), s.wakePools, s.trips.observe)
	if s.guards, err = newGuards(o.Config, o.Name, o.Bus.TokenStore(), observer); err != nil {
		return nil, err
	}
	s.guards.tracing = o.Tracing
	metrics.Breakers(s.guards.breakers.Stats)
	metrics.Spans(o.Tracing)
	if s.registry == nil {
		if s.registry, err = newRegistry(s.guards, o.Exit); err != nil {
			return nil, err
		}
		s.own = true
	}
	if s.names, err = served(o, s.registry); err != nil {
		return nil, err
	}
	if err := s.newPools(s.counters); err != nil {
		return nil, err
	}
	s.http = s.newHTTP(metrics.Handler())
	if s.listener, err = program.Listen(o.Config.Worker.HTTP, "--http"); err != nil {
		return nil, err
	}
	return s, nil
}

// URL is where health and metrics are served.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Agents are the names of the agents that it serves.
func (s *Server) Agents() []string { return append([]string(nil), s.names...) }

// served returns the agents to serve, in the order they were named.
func served(o Options, registry *agents.Registry) ([]string, error) {
	names := o.Agents
	if len(names) == 0 {
		names = o.Config.Worker.Agents
	}
	if len(names) == 0 {
		names = registry.Names()
	}
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if _, ok := registry.Get(name); !ok {
			return nil, program.Usage(unknownAgent(name, registry))
		}
		if seen[name] {
			return nil, program.Usage(fmt.Errorf("agent %s is named twice", name))
		}
		seen[name] = true
	}
	if len(names) == 0 {
		return nil, program.Usage(errors.New("there are no agents to serve"))
	}
	return names, nil
}

func unknownAgent(name string, registry *agents.Registry) error {
	if near := registry.Nearest(name); near != "" {
		return fmt.Errorf("unknown agent %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown agent %q; there are %q", name, registry.Names())
}
