package bus_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestAConnectionInTheBackgroundComesWithTheBroker(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		connect(t, s, "a").Close()
		s.Down(t)
		var mu sync.Mutex
		var lines []string
		log := testLogTo(func(line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		})
		logged := func(text string) (n int) {
			mu.Lock()
			defer mu.Unlock()
			for _, line := range lines {
				if strings.Contains(line, text) {
					n++
				}
			}
			return n
		}
		began := time.Now()
		b, err := bus.Connect(t.Context(), bus.Options{InProcess: s.InProcess(), Background: true, Logger: log})
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		t.Cleanup(b.Close)
		for what, f := range unreachable(b) {
			if err := f(t.Context()); !errors.Is(err, bus.ErrUnavailable) {
				t.Errorf("%s before the first connection: got %v, want %v", what, err, bus.ErrUnavailable)
			}
		}
		if took := time.Since(began); took > 100*time.Millisecond || b.Connected() || b.MaxPayload() != 0 {
			t.Errorf("after %s: connected %v, max payload %d; want all of it to fail at once", took, b.Connected(), b.MaxPayload())
		}
		spend(t.Context(), time.Minute)
		if n := logged("waiting for NATS"); n < 10 || n > 13 {
			t.Errorf("told %d times in a minute that it waits, want once in 5 s:\n%s", n, strings.Join(lines, ""))
		}
		s.Restart(t)
		await(t, "the connection", b.Connected)
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		if _, err := b.Survey(t.Context()); err != nil {
			t.Errorf("survey: %v", err)
		}
		s.Down(t) // an outage is told as ever
		spend(t.Context(), 30*time.Second)
		s.Restart(t)
		await(t, "the news of the outage", func() bool { return logged("connected to NATS again") == 1 })
		for text, want := range map[string]int{"connected to NATS\"": 1, "lost the connection": 1} {
			if n := logged(text); n != want {
				t.Errorf("logged %q %d times, want %d:\n%s", text, n, want, strings.Join(lines, ""))
			}
		}
		if waiting := logged("waiting for NATS"); waiting > 13 {
			t.Errorf("told %d times that it waits for the first connection, also after it", waiting)
		}
	})
}

// unreachable are calls that need a broker.
func unreachable(b *bus.Bus) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"publish": func(ctx context.Context) error {
			_, err := b.Publish(ctx, bus.Envelope{Agent: "a", ID: "x", Request: bus.Request{Prompt: "hi"}})
			return err
		},
		"publish async": func(context.Context) error {
			_, err := b.PublishAsync(bus.Envelope{Agent: "a", Request: bus.Request{Prompt: "hi"}})
			return err
		},
		"result":      func(ctx context.Context) error { _, err := b.Result(ctx, "a", "x"); return err },
		"pending":     func(ctx context.Context) error { _, err := b.Pending(ctx, "a", "x"); return err },
		"cancel":      func(ctx context.Context) error { return b.Cancel(ctx, "a", "x", "") },
		"history":     func(ctx context.Context) error { _, err := b.History(ctx, "a", "x"); return err },
		"dead letter": func(ctx context.Context) error { _, err := b.DeadLetter(ctx, "a", "x"); return err },
		"replay":      func(ctx context.Context) error { return b.Replay(ctx, bus.DeadLetter{Agent: "a", ID: "x"}) },
		"lag":         func(ctx context.Context) error { _, err := b.Lag(ctx, "a", bus.LaneBatch); return err },
		"agents":      func(ctx context.Context) error { _, err := b.Agents(ctx); return err },
		"consumers":   func(ctx context.Context) error { return b.EnsureConsumers(ctx, "a", 0) },
		"verify":      func(ctx context.Context) error { _, err := b.Verify(ctx, bus.VerifyOptions{}); return err },
		"survey":      func(ctx context.Context) error { _, err := b.Survey(ctx); return err },
		"rescue":      func(ctx context.Context) error { _, err := b.Rescue(ctx, "a"); return err },
		"dead letters": func(ctx context.Context) error {
			for _, err := range b.DeadLetters(ctx, bus.DeadLetterFilter{}) {
				return err
			}
			return nil
		},
	}
}

func TestABackgroundConnectionNeedsAnAddress(t *testing.T) {
	if b, err := bus.Connect(t.Context(), bus.Options{URL: "nats://127.0.0.1:x", Background: true}); err == nil {
		b.Close()
		t.Error("connect to port x: got no error")
	}
}
