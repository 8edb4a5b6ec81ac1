package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"genesis/pkg/bus"
)

// benchJobs compares jobs a second: publishing alone, consuming what waits, and both
// at once, for each durability and two sizes of payload.
func benchJobs(ctx context.Context, b *bench) error {
	durabilities, sizes := []string{relaxed, standard, strict}, []int{256, 4096}
	if b.quick {
		durabilities, sizes = durabilities[:1], sizes[:1]
	}
	for _, durability := range durabilities {
		for _, size := range sizes {
			if err := b.jobs(ctx, durability, size); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) jobs(ctx context.Context, durability string, size int) error {
	a, err := openArena(ctx, durability)
	if err != nil {
		return err
	}
	defer a.close()
	prompt := text(size)
	payload := fmt.Appendf(nil, `{"prompt":%q}`, prompt)
	empty := func(ctx context.Context, _ int) error { return a.empty(ctx, rawAgent, genesisAgent) }
	filled := func(agent string) func(context.Context, int) error {
		return func(ctx context.Context, n int) error {
			if err := empty(ctx, n); err != nil {
				return err
			}
			return a.fill(ctx, agent, n, payload)
		}
	}
	publishRaw := func(ctx context.Context, n int) error { return rawPublish(ctx, a.rawPublisher, n, prompt) }
	publishOurs := func(ctx context.Context, n int) error { return publish(ctx, a.publisher, n, prompt) }
	publishCalls := func(ctx context.Context, n int) error { return publishBy(ctx, a.publisher, inFlight, n, prompt) }
	if durability == strict { // commits in groups what waits, which asynchronous publishes do not
		publishOurs = publishCalls
	}
	for _, phase := range []struct {
		name      string
		raw, ours side
		target    target
	}{
		{"publish", side{"raw", empty, timed(publishRaw)}, side{"genesis", empty, timed(publishOurs)}, target{}},
		{"publish by 256 callers", side{"raw", empty, timed(publishRaw)}, side{"genesis", empty, timed(publishCalls)}, target{}},
		{"consume", side{"raw", filled(rawAgent), a.rawWork(nil, false)}, side{"genesis", filled(genesisAgent), a.work(nil)}, target{}},
		{"both", side{"raw", empty, a.rawWork(publishRaw, false)}, side{"genesis", empty, a.work(publishOurs)}, target{AtLeast: 0.9}},
		{"both, same results", side{"raw", empty, a.rawWork(publishRaw, true)}, side{"genesis", empty, a.work(publishOurs)}, target{}},
	} {
		name := fmt.Sprintf("%s %d B %s", durability, size, phase.name)
		if !b.wants(name) {
			continue
		}
		c, err := b.compare(ctx, a.broker, name, phase.raw, phase.ours)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.add(c.row(name, "jobs/s", phase.target))
	}
	return nil
}

// timed measures all of f.
func timed(f func(context.Context, int) error) func(context.Context, int) (time.Duration, error) {
	return func(ctx context.Context, n int) (time.Duration, error) {
		began := time.Now()
		err := f(ctx, n)
		return time.Since(began), err
	}
}

// A countdown tells when the last of n jobs is done.
type countdown struct {
	left atomic.Int64
	done chan struct{}
}

func newCountdown(n int) *countdown {
	c := &countdown{done: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

func (c *countdown) one() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

// until runs f, which may be nil, and waits for the last job; it returns the time from
// its start.
func (c *countdown) until(ctx context.Context, f func(context.Context, int) error, n int) (time.Duration, error) {
	began := time.Now()
	if f != nil {
		if err := f(ctx, n); err != nil {
			return 0, err
		}
	}
	select {
	case <-c.done:
		return time.Since(began), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// rawWork runs the raw worker beside f until it has done n jobs; with contract its
// results are those of the wire contract.
func (a *arena) rawWork(f func(context.Context, int) error, contract bool) func(context.Context, int) (time.Duration, error) {
	return func(ctx context.Context, n int) (took time.Duration, err error) {
		c := newCountdown(n)
		w := &rawWorker{nc: a.rawWorker, agent: rawAgent, contract: contract, done: c.one}
		err = working(ctx, func(ctx context.Context) (err error) {
			took, err = c.until(ctx, f, n)
			return err
		}, w.work)
		return took, err
	}
}

// work runs a pool beside f until it has settled n jobs.
func (a *arena) work(f func(context.Context, int) error) func(context.Context, int) (time.Duration, error) {
	return func(ctx context.Context, n int) (took time.Duration, err error) {
		c := newCountdown(n)
		var strange atomic.Pointer[bus.Settlement]
		p, err := pool(a.worker, genesisAgent, slots, echo(), func(s bus.Settlement) {
			if s.Verdict != bus.VerdictSuccess && s.Verdict != bus.VerdictAnswered { // answered: its confirmation was lost to a stall
				strange.Store(&s)
			}
			c.one()
		})
		if err != nil {
			return 0, err
		}
		err = working(ctx, func(ctx context.Context) (err error) {
			took, err = c.until(ctx, f, n)
			return err
		}, p.Run)
		if s := strange.Load(); s != nil {
			return took, fmt.Errorf("a job came to %s: %w", s.Verdict, s.Err)
		}
		return took, err
	}
}
