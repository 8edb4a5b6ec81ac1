//go:build faults

package crash

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/pkg/bus"
)

// system is a broker in a process of its own, and a connection to it.
type system struct {
	t      *testing.T
	config string
	dir    string
	addr   string
	broker *process
	bus    *bus.Bus
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, config: configuration(t), dir: t.TempDir(), addr: "127.0.0.1:0"}
	s.startBroker()
	b, err := bus.Connect(t.Context(), bus.Options{URL: s.url()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	s.bus = b
	cfg, err := config.Load(s.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Prepare(t.Context(), b, cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *system) url() string { return "nats://" + s.addr }

// startBroker starts the broker, after a kill on the same data and port.
func (s *system) startBroker() {
	s.t.Helper()
	s.broker = start(s.t, "server", nil, s.dir, s.addr)
	s.addr = strings.TrimSpace(s.broker.awaitLine("127.0.0.1:"))
}

// startWorker starts a worker; fault, if given, is where it dies.
func (s *system) startWorker(fault string) *process {
	s.t.Helper()
	p := start(s.t, "worker", []string{"GENESIS_FAULT=" + fault}, "--config", s.config, "--nats", s.url(), "--http", "127.0.0.1:0")
	return p
}

func (s *system) publish(e bus.Envelope) string {
	s.t.Helper()
	r, err := s.bus.Publish(s.t.Context(), e)
	if err != nil {
		s.t.Fatalf("publish: %v", err)
	}
	return r.ID
}

// result waits for the result of a request.
func (s *system) result(agent, id string) bus.StoredResult {
	s.t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := s.bus.Result(s.t.Context(), agent, id)
		if err == nil {
			return r
		}
		if !errors.Is(err, bus.ErrNotFound) && !errors.Is(err, bus.ErrUnavailable) {
			s.t.Fatalf("result of %s: %v", id, err)
		}
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatalf("request %s of %s has no result: %v", id, agent, err)
		}
	}
}

// quiet waits until nothing is queued.
func (s *system) quiet() {
	s.t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		total := uint64(0)
		for _, agent := range []string{"probe", "echo"} {
			stream, err := s.bus.JetStream().Stream(s.t.Context(), bus.RequestStream(agent))
			if err != nil {
				s.t.Fatal(err)
			}
			total += stream.CachedInfo().State.Msgs
		}
		if total == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatalf("%d messages stay in the queues", total)
		}
	}
}

// holds checks what must be true after every crash: nothing is missing, and no result
// was written twice.
func (s *system) holds(results int) {
	s.t.Helper()
	s.quiet()
	reports, err := s.bus.Verify(s.t.Context(), bus.VerifyOptions{})
	if err != nil {
		s.t.Fatalf("verify: %v", err)
	}
	for _, r := range reports {
		if r.MissingCount > 0 {
			s.t.Errorf("verify: %+v", r)
		}
	}
	info := s.stream(bus.StreamResults)
	if got := int(info.State.LastSeq); results >= 0 && got != results {
		s.t.Errorf("results were written %d times, want %d", got, results)
	}
}

func (s *system) stream(name string) *jetstream.StreamInfo {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	stream, err := s.bus.JetStream().Stream(ctx, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return stream.CachedInfo()
}
