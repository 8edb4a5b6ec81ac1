package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// configured is the configuration of the tests, changed by the test.
func configured(change ...func(*config.Config)) *config.Config {
	c := config.Default()
	c.Gateway.HTTP = "127.0.0.1:0"
	for _, f := range change {
		f(c)
	}
	return c
}

func testLog(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelError}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

// connect connects a bus of its own, with all streams there.
func connect(t testing.TB, s *bustest.Server, cfg *config.Config) *bus.Bus {
	t.Helper()
	b, err := program.Connect(t.Context(), "test", cfg, testLog(t), s.InProcess())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	return b
}

// running is a gateway at work.
type running struct {
	*Server
	t    testing.TB
	stop func()
}

// start runs a gateway with a bus of its own until the test ends or stop is called.
func start(t testing.TB, s *bustest.Server, cfg *config.Config) *running {
	t.Helper()
	return serve(t, Options{Config: cfg, Bus: connect(t, s, cfg), Log: testLog(t), Version: "test", OperatorToken: "operator-token"})
}

func serve(t testing.TB, o Options) *running {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatalf("new gateway: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := g.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	r := &running{Server: g, t: t, stop: sync.OnceFunc(func() { cancel(); wg.Wait() })}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		r.stop()
	})
	return r
}

// work runs a pool of an agent until the test ends.
func work(t testing.TB, b *bus.Bus, agent string, h bus.Handler) {
	t.Helper()
	p, err := b.NewPool(bus.PoolOptions{Agent: agent, Handler: h, Worker: "w1", Slots: 64, Logger: testLog(t)})
	if err != nil {
		t.Fatalf("new pool: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func echo(_ context.Context, job *bus.Job) (bus.Answer, error) {
	text, err := json.Marshal(map[string]string{"text": job.Request.Prompt, "client": job.Client})
	return bus.Answer{Output: text, Rung: "primary", Provider: "echo"}, err
}

// call is one HTTP call in a test; fields are "Name: value".
type call struct {
	method, path, body string
	fields             []string
}

func post(path, body string, fields ...string) call {
	return call{http.MethodPost, path, body, append([]string{"Content-Type: application/json"}, fields...)}
}

func get(path string, fields ...string) call { return call{http.MethodGet, path, "", fields} }

func remove(path string) call { return call{http.MethodDelete, path, "", nil} }

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

// json decodes the body.
func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return m
}

func (c call) request(ctx context.Context, t testing.TB, url string) *http.Request {
	t.Helper()
	var body io.Reader = http.NoBody
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, url+c.path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Add(name, value)
	}
	return req
}

// do makes a call.
func (g *running) do(t testing.TB, c call) reply {
	t.Helper()
	r, err := g.try(t.Context(), t, c)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	return r
}

func (g *running) try(ctx context.Context, t testing.TB, c call) (reply, error) {
	t.Helper()
	resp, err := http.DefaultClient.Do(c.request(ctx, t, g.URL()))
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(bytes.TrimSpace(body))}, err
}

// problem checks that a reply is a problem of this status whose detail holds want.
func (r reply) problem(t testing.TB, status int, want string) {
	t.Helper()
	if r.status != status {
		t.Fatalf("got %d %s, want %d that says %q", r.status, r.body, status, want)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type of a %d: got %q", r.status, got)
	}
	p := r.json(t)
	detail, _ := p["detail"].(string)
	if !strings.Contains(detail, want) {
		t.Errorf("detail: got %q, want it to hold %q", detail, want)
	}
	if kind, _ := p["type"].(string); !strings.HasPrefix(kind, "urn:genesis:problem:") || p["title"] == "" || p["status"] != float64(status) {
		t.Errorf("problem: got %s, want type, title and status %d", r.body, status)
	}
}

// is checks the status of a reply and returns its body.
func (r reply) is(t testing.TB, status int) map[string]any {
	t.Helper()
	if r.status != status {
		t.Fatalf("got %d %s, want %d", r.status, r.body, status)
	}
	return r.json(t)
}

// await polls until f is true.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}
