package worker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// system is a broker with the streams of a configuration, and a client of it.
type system struct {
	*bus.Bus
	server *bustest.Server
	cfg    *config.Config
}

func newSystem(t *testing.T, yaml string) *system {
	t.Helper()
	s := &system{server: bustest.Start(t, bustest.NoListen()), cfg: loadConfig(t, yaml)}
	s.Bus = s.connect(t)
	return s
}

func (s *system) connect(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := program.Connect(t.Context(), "test", s.cfg, slog.New(slog.DiscardHandler), s.server.InProcess())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	return b
}

// loadConfig reads a configuration whose worker listens on a free port and retries at once.
func loadConfig(t testing.TB, yaml string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "genesis.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil, config.Override{Path: "worker.http", Value: "127.0.0.1:0", Source: "test"})
	if err != nil {
		t.Fatalf("configuration: %v\n%s", err, yaml)
	}
	return cfg
}

// replica is a worker at work.
type replica struct {
	*Server
	log  *logBuffer
	stop func() error // drains, waits, and returns what Run returned
}

// start runs a worker with a connection of its own until the test ends.
func (s *system) start(t *testing.T, change func(*Options)) *replica {
	t.Helper()
	r := &replica{log: &logBuffer{}}
	o := Options{
		Config: s.cfg, Bus: s.connect(t), Version: "1.2.3", Name: "w1", OperatorToken: "secret",
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	server, err := New(o)
	if err != nil {
		t.Fatalf("new worker: %v", err)
	}
	r.Server = server
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	var ran error
	wg.Go(func() { ran = server.Run(ctx) })
	r.stop = func() error {
		cancel(errors.New("terminated"))
		wg.Wait()
		return ran
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
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

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// await polls until f is true.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}

// ask publishes a request and returns its id.
func (s *system) ask(t *testing.T, agent string, r bus.Request) string {
	t.Helper()
	if r.Prompt == "" && r.Input == nil {
		r.Prompt = "hi"
	}
	receipt, err := s.Publish(t.Context(), bus.Envelope{Agent: agent, Request: r})
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return receipt.ID
}

// answerTo waits for the result of a request.
func (s *system) answerTo(t *testing.T, agent, id string) bus.StoredResult {
	t.Helper()
	var r bus.StoredResult
	await(t, "the result of "+id, func() bool {
		var err error
		if r, err = s.Result(t.Context(), agent, id); err != nil && !errors.Is(err, bus.ErrNotFound) {
			t.Fatalf("result: %v", err)
		}
		return err == nil
	})
	return r
}

// get asks a worker over HTTP.
func get(t *testing.T, url string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("get %s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("get %s: %v", url, err)
	}
	return resp.StatusCode, string(body), resp.Header
}
