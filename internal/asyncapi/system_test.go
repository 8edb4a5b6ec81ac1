package asyncapi

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/internal/config"
	"genesis/internal/monitor"
	"genesis/internal/program"
	"genesis/internal/worker"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// patience bounds every wait.
const patience = 30 * time.Second

// A system is a broker, a worker that serves echo and probe only, and a monitor.
type system struct {
	*bus.Bus
}

func start(t *testing.T) *system {
	t.Helper()
	server := bustest.Start(t)
	cfg := config.Default()
	cfg.Worker.HTTP, cfg.Monitor.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Monitor.Interval = config.Duration(100 * time.Millisecond)
	s := &system{Bus: connect(t, server)}
	if err := program.Prepare(t.Context(), s.Bus, cfg); err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Options{Config: cfg, Bus: connect(t, server), Version: "1.0.0", Agents: []string{"echo", "probe"}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := monitor.New(monitor.Options{Config: cfg, Bus: connect(t, server), Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	runs(t, w.Run)
	runs(t, m.Run)
	return s
}

func connect(t *testing.T, server *bustest.Server) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// runs runs a program until the test ends.
func runs(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			t.Errorf("a program ended: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// last waits for a message on a subject and returns the last one.
func (s *system) last(t *testing.T, subject string) *jetstream.RawStreamMsg {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		name, err := s.JetStream().StreamNameBySubject(ctx, subject)
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		stream, err := s.JetStream().Stream(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := stream.GetLastMsgForSubject(ctx, subject)
		if err == nil {
			for _, read := range []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"} {
				msg.Header.Del(read) // how it was read, not what was written
			}
			return msg
		}
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Fatalf("%s: %v", subject, err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nothing is published on %s within %s", subject, patience)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// publish publishes what any NATS client may.
func (s *system) publish(t *testing.T, subject, payload string, header nats.Header) {
	t.Helper()
	if _, err := s.JetStream().PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: []byte(payload), Header: header}); err != nil {
		t.Fatalf("publish to %s: %v", subject, err)
	}
}

// ask sends a command and returns the one answer as it comes.
func (s *system) ask(t *testing.T, subject, payload string) *nats.Msg {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		msg, err := s.Conn().RequestWithContext(ctx, subject, []byte(payload))
		if err == nil {
			return msg
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			t.Fatalf("%s: %v", subject, err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nobody serves %s within %s", subject, patience)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
