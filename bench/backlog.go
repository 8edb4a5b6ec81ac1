package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
)

// portion is how many jobs a round of the backlog benchmark publishes or drains.
const portion = 1000

// benchBacklog compares the first thousand jobs drained from a deep queue, and a
// thousand published into it, with the same at a queue of a thousand.
func benchBacklog(ctx context.Context, b *bench) error {
	depths := []int{100_000}
	if b.full {
		depths = append(depths, 1_000_000)
	}
	names := map[int]string{portion: "shallow", 100_000: "deep", 1_000_000: "deepest"}
	a, err := openArena(ctx, relaxed, "shallow", "deep", "deepest")
	if err != nil {
		return err
	}
	defer a.close()
	rounds := 3 * b.rounds
	for _, depth := range depths {
		base, deep := queue{a, names[portion], portion}, queue{a, names[depth], depth}
		c, err := b.versus(ctx, a.broker, "drain", base.drained(), deep.drained(), portion, rounds)
		if err != nil {
			return err
		}
		r := c.row(fmt.Sprintf("drain with %d pending", depth), "jobs/s", target{AtLeast: 0.8})
		r.Note = fmt.Sprintf("base: %d pending", portion)
		b.add(r)
		if c, err = b.versus(ctx, a.broker, "publish", base.published(), deep.published(), portion, rounds); err != nil {
			return err
		}
		r = c.row(fmt.Sprintf("publish with %d pending", depth), "jobs/s", target{AtLeast: 0.8})
		r.Note = fmt.Sprintf("base: %d pending", portion)
		b.add(r)
	}
	return nil
}

// A queue keeps an agent's queue at a depth.
type queue struct {
	*arena
	agent string
	depth int
}

// top brings the queue to its depth.
func (q queue) top(ctx context.Context, _ int) error {
	s, err := q.admin.Stream(ctx, bus.RequestStream(q.agent))
	if err != nil {
		return err
	}
	if have := s.CachedInfo().State.Msgs; have > uint64(q.depth) {
		if err := s.Purge(ctx, jetstream.WithPurgeKeep(uint64(q.depth))); err != nil {
			return err
		}
	} else if err := q.fill(ctx, q.agent, q.depth-int(have), fmt.Appendf(nil, `{"prompt":%q}`, text(256))); err != nil {
		return err
	}
	return q.empty(ctx)
}

// drained takes n jobs off the queue.
func (q queue) drained() side {
	return side{q.agent, q.top, func(ctx context.Context, n int) (took time.Duration, err error) {
		c := newCountdown(n)
		p, err := pool(q.worker, q.agent, slots, echo(), func(bus.Settlement) { c.one() })
		if err != nil {
			return 0, err
		}
		err = working(ctx, func(ctx context.Context) (err error) {
			took, err = c.until(ctx, nil, n)
			return err
		}, p.Run)
		return took, err
	}}
}

// published adds n requests to the queue.
func (q queue) published() side {
	return side{q.agent, q.top, timed(func(ctx context.Context, n int) error {
		return eachOf(ctx, slots, n, func(ctx context.Context) error {
			_, err := q.publisher.Publish(ctx, bus.Envelope{Agent: q.agent, Request: bus.Request{Prompt: "hi"}})
			return err
		})
	})}
}
