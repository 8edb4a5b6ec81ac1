package program

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Load(writeFile(t, text), nil)
	if err != nil {
		t.Fatalf("load %s: %v", text, err)
	}
	return cfg
}

func TestConnectingPreparesTheStreamsOfTheConfiguration(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	cfg := load(t, "agents: {hello: {max_pending: 7, ack_wait: 9s, ladder: [{rung: primary, provider: echo}]}}\ngateway: {max_body: 4MiB}\n")
	for range 2 { // the second time all is there
		b, err := Connect(t.Context(), "test", cfg, slog.New(slog.DiscardHandler), s.InProcess())
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		stream, err := b.JetStream().Stream(t.Context(), bus.RequestStream("hello"))
		if err != nil {
			t.Fatalf("the agent's stream: %v", err)
		}
		if got := stream.CachedInfo().Config; got.MaxMsgs != 7 || got.MaxMsgSize != 4<<20+64<<10 {
			t.Errorf("got max_msgs %d, max_msg_size %d; want 7 and room for 4 MiB", got.MaxMsgs, got.MaxMsgSize)
		}
		for _, lane := range bus.Lanes() {
			c, err := stream.Consumer(t.Context(), string(lane))
			if err != nil {
				t.Fatalf("consumer %s: %v", lane, err)
			}
			if got := c.CachedInfo().Config.AckWait.String(); got != "9s" {
				t.Errorf("ack_wait of %s: got %s, want 9s", lane, got)
			}
		}
		if got := b.Conn().Opts.Name; got != "genesis-test" {
			t.Errorf("name of the connection: got %s", got)
		}
		b.Close()
	}
}

func TestAStreamThatContradictsTheContractStopsTheProgram(t *testing.T) {
	s := bustest.Start(t)
	_, err := s.JetStream(t).CreateStream(t.Context(), jetstream.StreamConfig{Name: bus.StreamResults, Subjects: []string{"genesis.results.>"}})
	if err != nil {
		t.Fatal(err)
	}
	e := execute(t.Context(), nil, nil, "--nats", s.URL())
	if e.code != ExitFailed || e.program != nil || !strings.Contains(e.stderr, "GENESIS_RESULTS") || !strings.Contains(e.stderr, "genesis streams") {
		t.Errorf("got code %d, run %v, stderr %s", e.code, e.program != nil, e.stderr)
	}
	b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var conflict *bus.ConflictError
	if err := Prepare(t.Context(), b, config.Default()); !errors.As(err, &conflict) {
		t.Errorf("prepare: got %v, want a *bus.ConflictError", err)
	}
}

func TestProgramsPrepareTheSameStreamsAtOnce(t *testing.T) {
	s := bustest.Start(t)
	errs := make(chan error)
	const n = 4
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range n {
		b, err := bus.Connect(ctx, bus.Options{URL: s.URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		context.AfterFunc(ctx, func() { errs <- Prepare(context.WithoutCancel(ctx), b, config.Default()) })
	}
	cancel()
	for range n {
		if err := <-errs; err != nil {
			t.Errorf("prepare: %v", err)
		}
	}
}
