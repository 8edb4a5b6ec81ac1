package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"genesis/pkg/bus"
)

// benchLatency measures one request at a time, from before its publish to after its
// result, with both workers idle but for it. The sides alternate in small blocks.
func benchLatency(ctx context.Context, b *bench) error {
	durabilities := []string{relaxed, standard, strict}
	if b.quick {
		durabilities = durabilities[:1]
	}
	for _, durability := range durabilities {
		if err := b.latency(ctx, durability); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) latency(ctx context.Context, durability string) error {
	a, err := openArena(ctx, durability)
	if err != nil {
		return err
	}
	defer a.close()
	raw, err := newRawCaller(a.rawPublisher)
	if err != nil {
		return err
	}
	ours, err := newCaller(a.publisher)
	if err != nil {
		return err
	}
	defer ours.replies.Close()
	p, err := pool(a.worker, genesisAgent, slots, echo(), nil)
	if err != nil {
		return err
	}
	w := &rawWorker{nc: a.rawWorker, agent: rawAgent, done: func() {}}
	return working(ctx, func(ctx context.Context) error {
		callRaw := func(ctx context.Context, prompt string) error { return raw.call(ctx, rawAgent, prompt) }
		callOurs := func(ctx context.Context, prompt string) error { return ours.call(ctx, genesisAgent, prompt) }
		return b.alternate(ctx, durability, callRaw, callOurs)
	}, w.work, p.Run)
}

// A rawCaller publishes a request and waits for its answer in an inbox of its own
// below one subscription.
type rawCaller struct {
	js     jetstream.JetStream
	prefix string

	mu      sync.Mutex
	waiters map[string]chan []byte
}

func newRawCaller(nc *nats.Conn) (*rawCaller, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	c := &rawCaller{js: js, prefix: nc.NewInbox() + ".", waiters: map[string]chan []byte{}}
	_, err = nc.Subscribe(c.prefix+"*", func(m *nats.Msg) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if ch := c.waiters[m.Subject]; ch != nil {
			delete(c.waiters, m.Subject)
			ch <- m.Data
		}
	})
	return c, err
}

func (c *rawCaller) call(ctx context.Context, agent, prompt string) error {
	m, err := rawMessage(agent, prompt)
	if err != nil {
		return err
	}
	inbox := c.prefix + m.Subject[len(bus.RequestSubject(agent, bus.LaneInteractive, "")):]
	m.Header.Set(headerReply, inbox)
	answer := make(chan []byte, 1)
	c.mu.Lock()
	c.waiters[inbox] = answer
	c.mu.Unlock()
	if _, err := c.js.PublishMsg(ctx, m); err != nil {
		return err
	}
	select {
	case <-answer:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A caller does the same through Genesis, as the gateway does.
type caller struct {
	bus     *bus.Bus
	replies *bus.Replies
}

func newCaller(b *bus.Bus) (*caller, error) {
	replies, err := b.NewReplies("bench")
	return &caller{bus: b, replies: replies}, err
}

func (c *caller) call(ctx context.Context, agent, prompt string) error {
	id := bus.NewID()
	w := c.replies.Expect(agent, id)
	defer w.Close()
	_, err := c.bus.Publish(ctx, bus.Envelope{
		Agent: agent, ID: id, FreshID: true, Request: bus.Request{Prompt: prompt}, ReplyTo: c.replies.Subject(id),
	})
	if err != nil {
		return err
	}
	r, err := w.Result(ctx, true)
	if err == nil && !r.Success {
		return fmt.Errorf("request %s: %w", id, r.Error)
	}
	return err
}

// alternate calls both sides in turn, a block each, for all rounds' time.
func (b *bench) alternate(ctx context.Context, name string, base, genesis func(context.Context, string) error) error {
	const block = 25
	prompt := text(256)
	sides := [2]func(context.Context, string) error{base, genesis}
	var took [2][]float64
	warm := time.Now().Add(b.duration / 2)
	end := warm.Add(2 * b.duration * time.Duration(b.rounds))
	for i := 0; time.Now().Before(end); i++ {
		for range block {
			began := time.Now()
			if err := sides[i%2](ctx, prompt); err != nil {
				return err
			}
			if now := time.Now(); now.After(warm) {
				took[i%2] = append(took[i%2], float64(now.Sub(began))/float64(time.Microsecond))
			}
		}
	}
	b.quantiles(name, took, target{AtMost: 1.3}, "base: raw nats.go")
	return nil
}

// callersLatencies calls f by so many callers at once for a time, and returns how long
// each call took, in microseconds.
func callersLatencies(ctx context.Context, callers int, d time.Duration, f func(context.Context) error) ([]float64, error) {
	took := make([][]float64, callers)
	work, ctx := errgroup.WithContext(ctx)
	end := time.Now().Add(d)
	for i := range callers {
		work.Go(func() error {
			for began := time.Now(); began.Before(end); {
				if err := f(ctx); err != nil {
					return err
				}
				now := time.Now()
				took[i] = append(took[i], float64(now.Sub(began))/float64(time.Microsecond))
				began = now
			}
			return nil
		})
	}
	err := work.Wait()
	return slices.Concat(took...), err
}

// quantiles adds the rows of two sets of latencies.
func (b *bench) quantiles(name string, took [2][]float64, t target, note string) {
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		was, is := quantile(took[0], q.share), quantile(took[1], q.share)
		b.add(row{
			Case: name + " " + q.name, Unit: "us", Base: was, Genesis: is, Ratio: is / was, Target: t,
			Note: fmt.Sprintf("%s; %d and %d requests", note, len(took[0]), len(took[1])),
		})
	}
}
