package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"genesis/internal/config"
	"genesis/internal/ctl"
	"genesis/internal/gateway"
	"genesis/internal/program"
	"genesis/internal/telemetry"
	"genesis/internal/worker"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// A system is a gateway and a worker at work, as programs of their own are, and a
// client of their broker.
type system struct {
	t      *testing.T
	server *bustest.Server
	env    map[string]string
	config string
	log    *logBuffer

	bus     *bus.Bus
	gateway string // its URL
	worker  string
}

// fast is a section of the configuration: attempts are repeated at once.
const fast = "delivery: {max_attempts: 2, initial_delay: 1ms, max_delay: 1ms}"

// newSystem runs a system until the test ends; env are the variables of its programs.
func newSystem(t *testing.T, yaml string, env map[string]string) *system {
	t.Helper()
	s := &system{t: t, server: bustest.Start(t), env: env, config: filepath.Join(t.TempDir(), "genesis.yaml"), log: &logBuffer{}}
	if err := os.WriteFile(s.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s.bus = s.connect("client")
	s.gateway = s.run("gateway", func(p *program.Program) (runner, error) {
		return gateway.New(gateway.Options{Config: p.Config, Bus: p.Bus, Log: p.Log, Version: "1.2.3", Tracing: p.Tracing})
	})
	s.worker = s.run("worker", func(p *program.Program) (runner, error) {
		return worker.New(worker.Options{Config: p.Config, Bus: p.Bus, Log: p.Log, Version: "1.2.3", Name: "w1", Tracing: p.Tracing})
	})
	return s
}

type runner interface {
	Run(ctx context.Context) error
	URL() string
}

func (s *system) getenv(name string) (string, bool) {
	value, ok := s.env[name]
	return value, ok
}

func (s *system) load() *config.Config {
	s.t.Helper()
	cfg, err := config.Load(s.config, nil,
		config.Override{Path: "gateway.http", Value: "127.0.0.1:0", Source: "test"}, config.Override{Path: "worker.http", Value: "127.0.0.1:0", Source: "test"})
	if err != nil {
		s.t.Fatalf("configuration: %v", err)
	}
	return cfg
}

func (s *system) connect(name string) *bus.Bus {
	s.t.Helper()
	b, err := program.Connect(s.t.Context(), name, s.load(), slog.New(slog.DiscardHandler), s.server.InProcess())
	if err != nil {
		s.t.Fatalf("connect: %v", err)
	}
	s.t.Cleanup(b.Close)
	return b
}

// run runs a program until the test ends, and returns its URL.
func (s *system) run(name string, start func(*program.Program) (runner, error)) string {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("program", name)
	tracing := telemetry.NewTracing(s.t.Context(), telemetry.TracingOptions{Program: name, Version: "1.2.3", Env: s.getenv, Log: log})
	r, err := start(&program.Program{Config: s.load(), Bus: s.connect(name), Log: log, Tracing: tracing})
	if err != nil {
		s.t.Fatalf("start %s: %v", name, err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var g errgroup.Group
	g.Go(func() error { return r.Run(ctx) })
	s.t.Cleanup(func() {
		stop()
		if err := g.Wait(); err != nil {
			s.t.Errorf("run %s: %v", name, err)
		}
		tracing.Close(context.WithoutCancel(s.t.Context()))
	})
	return r.URL()
}

// post sends a request to an agent over HTTP and returns the answer.
func (s *system) post(agent, body string, fields ...string) (int, string) {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.gateway+"/v1/agents/"+agent+"/requests", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Prefer", "wait=20")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		q.Header.Set(name, value)
	}
	return s.do(q)
}

func (s *system) do(q *http.Request) (int, string) {
	s.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	r, err := transport.RoundTrip(q)
	if err != nil {
		s.t.Fatalf("%s %s: %v", q.Method, q.URL, err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", q.Method, q.URL, err)
	}
	return r.StatusCode, string(text)
}

// genesis runs the command line.
func (s *system) genesis(args ...string) (stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--nats", s.server.URL(), "--config", s.config)
	if code := ctl.Execute(s.t.Context(), args, s.getenv, strings.NewReader(""), &out, &errs); code != 0 {
		s.t.Fatalf("genesis %s: exit %d\n%s%s", strings.Join(args, " "), code, &out, &errs)
	}
	return out.String(), errs.String()
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// with are the lines that hold all of the parts.
func (l *logBuffer) with(parts ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
lines:
	for line := range strings.Lines(l.buf.String()) {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}
