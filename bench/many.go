package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
)

// benchAgents spreads one load over many agents, each with a queue and a pool of its
// own: a backlog to drain, against the same on one agent; and 64 callers who wait for
// each answer, against raw nats.go on as many queues. The callers leave every queue
// empty after almost every job, which costs the server a file each time, whoever works.
func benchAgents(ctx context.Context, b *bench) error {
	const most = 100
	names := make([]string, most)
	for i := range names {
		names[i] = fmt.Sprintf("agent-%d", i)
	}
	a, err := openArena(ctx, relaxed, names...)
	if err != nil {
		return err
	}
	defer a.close()
	ours, err := newCaller(a.publisher)
	if err != nil {
		return err
	}
	defer ours.replies.Close()
	raw, err := newRawCaller(a.rawPublisher)
	if err != nil {
		return err
	}
	for _, n := range []int{1, 10, most} {
		all := names[:n]
		if name := fmt.Sprintf("drain %d agents", n); n > 1 && b.wants(name) {
			c, err := b.compare(ctx, a.broker, name, a.drained(names[:1]), a.drained(all))
			if err != nil {
				return err
			}
			r := c.row(name, "jobs/s", target{AtLeast: 0.8})
			r.Note = "base: the same jobs on 1 agent"
			b.add(r)
		}
		if name := fmt.Sprintf("64 callers on %d agents", n); b.wants(name) {
			c, err := b.compare(ctx, a.broker, name, a.called("raw", all, a.rawWorkers, raw.call), a.called("genesis", all, a.pools, ours.call))
			if err != nil {
				return err
			}
			r := c.row(name, "calls/s", target{AtLeast: 0.8})
			r.Note = "base: raw nats.go on as many queues"
			b.add(r)
		}
	}
	return nil
}

// A crew makes a worker for each agent, to be run; done is called after each job.
type crew func(names []string, done func()) ([]func(context.Context) error, error)

func (a *arena) pools(names []string, done func()) ([]func(context.Context) error, error) {
	return a.poolsOf(echo(), names, done)
}

func (a *arena) poolsOf(agent agents.Agent, names []string, done func()) ([]func(context.Context) error, error) {
	var runs []func(context.Context) error
	for _, name := range names {
		p, err := pool(a.worker, name, slots, agent, func(bus.Settlement) { done() })
		if err != nil {
			return nil, err
		}
		runs = append(runs, p.Run)
	}
	return runs, nil
}

func (a *arena) rawWorkers(names []string, done func()) ([]func(context.Context) error, error) {
	var runs []func(context.Context) error
	for _, name := range names {
		runs = append(runs, (&rawWorker{nc: a.rawWorker, agent: name, done: done}).work)
	}
	return runs, nil
}

// A gate lets tasks pass to an agent once all agents have one, so that the start of the
// pools is not measured.
type gate struct {
	agents.Agent
	missing sync.Map // agents without a task, by name
	left    atomic.Int64
	opened  chan struct{}
}

func newGate(to agents.Agent, names []string) *gate {
	g := &gate{Agent: to, opened: make(chan struct{})}
	g.left.Store(int64(len(names)))
	for _, name := range names {
		g.missing.Store(name, true)
	}
	return g
}

// Handle implements [agents.Agent].
func (g *gate) Handle(ctx context.Context, t agents.Task) (agents.Result, error) {
	if _, first := g.missing.LoadAndDelete(t.Agent); first && g.left.Add(-1) == 0 {
		close(g.opened)
	}
	select {
	case <-g.opened:
		return g.Agent.Handle(ctx, t)
	case <-ctx.Done():
		return agents.Result{}, context.Cause(ctx)
	}
}

// drained fills the queues of the agents with n jobs in all and lets pools drain them.
func (a *arena) drained(names []string) side {
	fill := func(ctx context.Context, n int) error {
		if err := a.empty(ctx, names...); err != nil {
			return err
		}
		for i, name := range names {
			share := n*(i+1)/len(names) - n*i/len(names)
			if err := a.fill(ctx, name, share, fmt.Appendf(nil, `{"prompt":%q}`, text(256))); err != nil {
				return err
			}
		}
		return nil
	}
	return side{fmt.Sprintf("%d agents", len(names)), fill, func(ctx context.Context, n int) (took time.Duration, err error) {
		c, g := newCountdown(n), newGate(echo(), names)
		runs, err := a.poolsOf(g, names, c.one)
		if err != nil {
			return 0, err
		}
		err = working(ctx, func(ctx context.Context) (err error) {
			select {
			case <-g.opened:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			took, err = c.until(ctx, nil, n)
			return err
		}, runs...)
		return took, err
	}}
}

// called calls the agents in turn, by 64 callers at once, while a worker works for each.
func (a *arena) called(name string, names []string, workers crew, call func(ctx context.Context, agent, prompt string) error) side {
	empty := func(ctx context.Context, _ int) error { return a.empty(ctx, names...) }
	return side{name, empty, func(ctx context.Context, n int) (took time.Duration, err error) {
		runs, err := workers(names, func() {})
		if err != nil {
			return 0, err
		}
		err = working(ctx, func(ctx context.Context) error {
			for _, agent := range names { // all workers are up once each has answered
				if err := call(ctx, agent, "hi"); err != nil {
					return err
				}
			}
			var turn atomic.Int64
			prompt := text(256)
			began := time.Now()
			err := eachOf(ctx, slots, n, func(ctx context.Context) error {
				return call(ctx, names[turn.Add(1)%int64(len(names))], prompt)
			})
			took = time.Since(began)
			return err
		}, runs...)
		return took, err
	}}
}
