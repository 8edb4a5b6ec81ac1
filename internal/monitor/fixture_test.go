package monitor

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/internal/health"
	"genesis/internal/program"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// patience bounds what a test waits for.
const patience = 20 * time.Second

// testConfig is a configuration with quick rounds.
func testConfig(change ...func(*config.Config)) *config.Config {
	cfg := named()
	cfg.Monitor.HTTP = "127.0.0.1:0"
	cfg.Monitor.Interval = config.Duration(100 * time.Millisecond)
	cfg.Monitor.VerifyInterval = 0
	for _, f := range change {
		f(cfg)
	}
	return cfg
}

// named is a configuration whose agents somebody named.
func named() *config.Config {
	cfg, err := config.Load("testdata/genesis.yaml", nil)
	if err != nil {
		panic(err)
	}
	return cfg
}

// connect returns a bus on the server whose streams are there.
func connect(t *testing.T, server *bustest.Server, cfg *config.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{URL: server.URL(), Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := program.Prepare(t.Context(), b, cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

// A runner is a monitor that runs, with a bus of its own.
type runner struct {
	*Server
	log    *logged
	cancel context.CancelFunc
	ended  chan error
}

// start starts a monitor. Its connection is made when the broker is there.
func start(t *testing.T, url string, cfg *config.Config) *runner {
	t.Helper()
	log := &logged{}
	b, err := bus.Connect(t.Context(), bus.Options{URL: url, Background: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Config: cfg, Bus: b, Log: slog.New(slog.NewTextHandler(log, nil)), Version: "1.2.3", OperatorToken: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	s.started = s.started.Add(-startGrace) // the grace of the start is over
	for range 2 {
		s.watch.Observe(health.Round{Elapsed: time.Minute})
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &runner{Server: s, log: log, cancel: cancel, ended: make(chan error, 1)}
	var running sync.WaitGroup
	running.Go(func() { r.ended <- s.Run(ctx) })
	t.Cleanup(func() {
		settle(t, b, cfg)
		cancel()
		running.Wait()
		b.Close()
		if t.Failed() {
			t.Logf("log of monitor %s:\n%s", s.name, log)
		}
	})
	return r
}

// settle waits until the streams are there that a monitor makes at its start: a server
// that is stopped while it makes one leaves a goroutine behind.
func settle(t *testing.T, b *bus.Bus, cfg *config.Config) {
	t.Helper()
	if !b.Connected() {
		return
	}
	shared := *cfg
	shared.Agents = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := program.Prepare(ctx, b, &shared); err != nil {
		t.Logf("prepare the streams at the end: %v", err)
	}
}

// logged is a log that can be read.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// work announces a worker that serves agents. The function returned ends it, in good
// order or, with lose, as kill -9 would.
func work(t *testing.T, server *bustest.Server, name string, load bus.AgentLoad, agents ...string) (end func(lose bool)) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{URL: server.URL(), Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	lease := bus.WorkerLease{Name: name, Version: "1.2.3", Started: time.Now(), Agents: map[string]bus.AgentLoad{}}
	for _, agent := range agents {
		lease.Agents[agent] = load
	}
	var announcing sync.WaitGroup
	announcing.Go(func() {
		if err := b.AnnounceWorker(ctx, func() bus.WorkerLease { return lease }); err != nil {
			t.Error(err)
		}
	})
	var once sync.Once
	end = func(lose bool) {
		once.Do(func() {
			if lose {
				b.Close()
			}
			cancel()
			announcing.Wait()
			b.Close()
		})
	}
	t.Cleanup(func() { end(false) })
	return end
}

// events are the events of a component on the bus, in order, as STATE<-PREVIOUS; nil
// while the broker is away.
func events(t *testing.T, b *bus.Bus, c bus.Component) []string {
	t.Helper()
	var all []string
	for e, err := range b.HealthEvents(t.Context(), bus.HealthFilter{Kind: c.Kind, Name: c.Name}) {
		if err != nil {
			return nil
		}
		all = append(all, string(e.Data.State)+"<-"+string(e.Data.Previous))
	}
	return all
}

// awaitEvents waits until a component has had exactly these events.
func awaitEvents(t *testing.T, b *bus.Bus, c bus.Component, want ...string) {
	t.Helper()
	var got []string
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		if got = events(t, b, c); slices.Equal(got, want) {
			return
		}
		if len(got) > len(want) || time.Now().After(end) {
			t.Fatalf("events of %s: got %q, want %q", c, got, want)
		}
	}
}

// get reads an answer of the monitor.
func get(t *testing.T, url string, header http.Header, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	switch into := into.(type) {
	case nil:
	case *string:
		*into = string(body)
	default:
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("GET %s: %v: %s", url, err, body)
		}
	}
	return resp.StatusCode
}

func agentEcho() bus.Component { return bus.Component{Kind: bus.KindAgent, Name: "echo"} }

func natsItself() bus.Component { return health.NATS() }

// passed holds when so many more rounds were made.
func passed(m *runner, rounds int) func() bool {
	count := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.made
	}
	begin := count()
	return func() bool { return count() >= begin+rounds }
}

func contains(log *logged, all ...string) bool {
	text := log.String()
	for _, s := range all {
		if !strings.Contains(text, s) {
			return false
		}
	}
	return true
}

func operation(m *metrics) *telemetry.Operation {
	return telemetry.NewOperations(m.registry, nil).Operation("test")
}

func containsLine(text, line string) bool {
	for l := range strings.SplitSeq(text, "\n") {
		if l == line {
			return true
		}
	}
	return false
}
