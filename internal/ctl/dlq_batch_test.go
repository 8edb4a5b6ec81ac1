package ctl

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// system is a broker with the streams of one agent and no worker.
type system struct {
	*bustest.Server
	js jetstream.JetStream
}

func newSystem(t *testing.T, maxPending int) system {
	t.Helper()
	s := system{Server: bustest.Start(t)}
	b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	cfg := config.Default()
	echo := cfg.Agents["echo"]
	echo.MaxPending = maxPending
	cfg.Agents = map[string]config.Agent{"echo": echo}
	if err := program.Prepare(t.Context(), b, cfg); err != nil {
		t.Fatal(err)
	}
	s.js = b.JetStream()
	return s
}

// bury stores n dead letters as a worker would.
func (s system) bury(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		msg := nats.NewMsg(fmt.Sprintf("genesis.dlq.echo.r%d", i))
		msg.Data = []byte(`{"prompt":"hi"}`)
		msg.Header.Set(bus.HeaderDeadReason, bus.DeadExhausted)
		msg.Header.Set(bus.HeaderOriginStream, bus.RequestStream("echo"))
		msg.Header.Set(bus.HeaderOriginSequence, "1")
		if _, err := s.js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
}

func (s system) held(t *testing.T, stream string) int {
	t.Helper()
	info, err := s.js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.CachedInfo().State.Msgs)
}

// command is a run of the command line.
type command struct {
	code        int
	out, errOut lockedBuffer
}

func (s system) run(ctx context.Context, args ...string) *command {
	var c command
	c.code = Execute(ctx, append(args, "--nats", s.URL()), nil, strings.NewReader(""), &c.out, &c.errOut)
	return &c
}

// await polls until f is true.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	limit := time.After(scriptLimit)
	for !f() {
		select {
		case <-limit:
			t.Fatalf("%s does not happen within %s", what, scriptLimit)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAnInterruptedReplayTellsHowFarItCame(t *testing.T) {
	const letters = 60
	s := newSystem(t, 1000)
	s.bury(t, letters)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var c *command
	var wg sync.WaitGroup
	wg.Go(func() { c = s.run(ctx, "dlq", "replay", "--all", "--rate", "100/s") })
	await(t, "the first replay", func() bool { return s.held(t, bus.RequestStream("echo")) > 0 })
	interrupt()
	wg.Wait()

	sent, left := s.held(t, bus.RequestStream("echo")), s.held(t, bus.StreamDeadLetters)
	if sent+left != letters || left == 0 {
		t.Errorf("got %d sent and %d left, want %d in all and some left", sent, left, letters)
	}
	if want := fmt.Sprintf("replayed %d, failed 0, skipped 0, left %d\n", sent, left); c.out.String() != want {
		t.Errorf("stdout: got %q, want %q", c.out.String(), want)
	}
	if want := fmt.Sprintf("genesis: interrupted: %d dead letters left; the same command goes on with them\n", left); c.code != 1 || c.errOut.String() != want {
		t.Errorf("got code %d and %q, want 1 and %q", c.code, c.errOut.String(), want)
	}

	if c := s.run(t.Context(), "dlq", "replay", "--all"); c.code != 0 || c.out.String() != fmt.Sprintf("replayed %d, failed 0, skipped 0, left 0\n", left) {
		t.Errorf("the same command again: got code %d, %q, %q", c.code, c.out.String(), c.errOut.String())
	}
	if sent := s.held(t, bus.RequestStream("echo")); sent != letters {
		t.Errorf("got %d requests in the end, want %d", sent, letters)
	}
}

func TestAReplayWaitsForRoomInTheQueue(t *testing.T) {
	const letters, room = 9, 3
	s := newSystem(t, room)
	s.bury(t, letters)
	var c *command
	var wg sync.WaitGroup
	wg.Go(func() { c = s.run(t.Context(), "dlq", "replay", "--agent", "echo") })
	lane, err := s.js.Consumer(t.Context(), bus.RequestStream("echo"), string(bus.LaneInteractive))
	if err != nil {
		t.Fatal(err)
	}
	for taken := 0; taken < letters; { // a slow worker
		await(t, "the queue is full, or holds the last", func() bool {
			return s.held(t, bus.RequestStream("echo")) == min(room, letters-taken)
		})
		msg, err := lane.Next(jetstream.FetchMaxWait(scriptLimit))
		if err != nil {
			t.Fatal(err)
		}
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		taken++
	}
	wg.Wait()
	if want := fmt.Sprintf("replayed %d, failed 0, skipped 0, left 0\n", letters); c.code != 0 || c.out.String() != want {
		t.Errorf("got code %d, %q, %q; want 0 and %q", c.code, c.out.String(), c.errOut.String(), want)
	}
}

func TestWhatCannotBeReplayedStaysAndIsNamed(t *testing.T) {
	s := newSystem(t, 10)
	s.bury(t, 1)
	msg := nats.NewMsg("genesis.dlq.gone.g1") // of an agent that is no more
	msg.Header.Set(bus.HeaderDeadReason, bus.DeadExhausted)
	if _, err := s.js.PublishMsg(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	c := s.run(t.Context(), "dlq", "replay", "--all")
	if want := "replayed 1, failed 1, skipped 0, left 0\n"; c.code != 1 || c.out.String() != want {
		t.Errorf("got code %d, %q; want 1 and %q", c.code, c.out.String(), want)
	}
	for _, want := range []string{"genesis: g1 of gone: ", "unknown agent", "genesis: 1 dead letter could not be replayed; kept as before"} {
		if !strings.Contains(c.errOut.String(), want) {
			t.Errorf("stderr: got %q, want it to contain %q", c.errOut.String(), want)
		}
	}
	if left := s.held(t, bus.StreamDeadLetters); left != 1 {
		t.Errorf("got %d dead letters in the end, want 1", left)
	}
}

func TestAReplayStopsWhenTheBrokerIsGone(t *testing.T) {
	s := newSystem(t, 1000)
	s.bury(t, 50)
	var c *command
	var wg sync.WaitGroup
	wg.Go(func() { c = s.run(t.Context(), "dlq", "replay", "--all", "--rate", "50/s") })
	await(t, "the first replay", func() bool { return s.held(t, bus.RequestStream("echo")) > 0 })
	s.Stop()
	wg.Wait()
	if c.code != 1 || !strings.Contains(c.errOut.String(), "unavailable") || !strings.Contains(c.errOut.String(), "the same command goes on with them") {
		t.Errorf("got code %d, %q; want 1 and what to do", c.code, c.errOut.String())
	}
}
