package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/streams"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// connect makes the streams of the agents on a server and connects to it.
func connect(t testing.TB, s *bustest.Server, agents ...string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s.InProcess(), Logger: testLog(t)})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	createStreams(t, b, agents...)
	return b
}

// createStreams makes the streams that are missing. It changes none: in virtual time a
// change would make the broker take all messages for old.
func createStreams(t testing.TB, b *bus.Bus, agents ...string) {
	t.Helper()
	o := streams.Options{Agents: map[string]streams.AgentOptions{}}
	for _, a := range agents {
		o.Agents[a] = streams.AgentOptions{}
	}
	all, err := streams.Load(o)
	if err != nil {
		t.Fatalf("load the streams: %v", err)
	}
	for _, cfg := range all {
		if _, err := b.JetStream().Stream(t.Context(), cfg.Name); err == nil {
			continue
		}
		if _, err := b.JetStream().CreateStream(t.Context(), cfg); err != nil {
			t.Fatalf("create %s: %v", cfg.Name, err)
		}
	}
}

func testLog(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// quiet is for pools whose complaints are wanted.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// testLogTo hands each line of a log to f.
func testLogTo(f func(string)) *slog.Logger {
	return slog.New(slog.NewTextHandler(lineWriter(f), nil))
}

type lineWriter func(string)

func (w lineWriter) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// runs runs f beside the test, which waits for it at its end.
func runs(t testing.TB, f func()) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(f)
	t.Cleanup(wg.Wait)
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

// running is a pool at work in a test.
type running struct {
	*bus.Pool
	stop func()

	mu       sync.Mutex
	settled  []bus.Settlement
	onSettle chan struct{}
}

// run runs a pool until the test ends or stop is called.
func run(t testing.TB, b *bus.Bus, o bus.PoolOptions) *running {
	t.Helper()
	r := &running{onSettle: make(chan struct{}, 1)}
	o.Observe = func(s bus.Settlement) {
		r.mu.Lock()
		r.settled = append(r.settled, s)
		r.mu.Unlock()
		select {
		case r.onSettle <- struct{}{}:
		default:
		}
	}
	if o.Worker == "" {
		o.Worker = "w1"
	}
	if o.Logger == nil {
		o.Logger = testLog(t)
	}
	p, err := b.NewPool(o)
	if err != nil {
		t.Fatalf("new pool: %v", err)
	}
	r.Pool = p
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(r.stop)
	return r
}

// settlements waits until n messages were settled.
func (r *running) settlements(t testing.TB, n int) []bus.Settlement {
	t.Helper()
	limit := time.After(patience())
	for {
		r.mu.Lock()
		got := append([]bus.Settlement(nil), r.settled...)
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-r.onSettle:
		case <-limit:
			t.Fatalf("settled %d messages, want %d: %+v", len(got), n, got)
		}
	}
}

// patience bounds each wait of a test. Virtual time, which begins in the year 2000,
// costs nothing.
func patience() time.Duration {
	if time.Now().Year() < 2010 {
		return 10 * time.Minute
	}
	return 20 * time.Second
}

// await polls until f is true.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	limit := time.After(patience())
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited %s for %s", patience(), what)
		}
	}
}

func publish(t testing.TB, b *bus.Bus, e bus.Envelope) bus.Receipt {
	t.Helper()
	if e.Request.Prompt == "" && e.Request.Input == nil {
		e.Request.Prompt = "hi"
	}
	r, err := b.Publish(t.Context(), e)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return r
}

// result waits for the result of a request.
func result(t testing.TB, b *bus.Bus, agent, id string) bus.StoredResult {
	t.Helper()
	var r bus.StoredResult
	await(t, "the result of "+id, func() bool {
		var err error
		r, err = b.Result(t.Context(), agent, id)
		if err != nil && !errors.Is(err, bus.ErrNotFound) && !errors.Is(err, bus.ErrUnavailable) {
			t.Fatalf("result: %v", err)
		}
		return err == nil
	})
	return r
}

func answer(context.Context, *bus.Job) (bus.Answer, error) {
	return bus.Answer{Output: []byte(`{"text":"hi"}`), Rung: "primary", Provider: "test"}, nil
}

// spend lets a handler take d of time, or less when ctx ends.
func spend(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// emptied waits until an agent's queue is empty: the broker takes note of what is
// settled a moment after its worker.
func emptied(t testing.TB, b *bus.Bus, agent string) {
	t.Helper()
	await(t, "an empty queue", func() bool { return queued(t, b, agent) == 0 })
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience()):
		t.Fatalf("waited %s for %s", patience(), what)
	}
	return v
}
