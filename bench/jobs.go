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
		a, err := openArena(ctx, durability)
		if err != nil {
			return err
		}
		for _, size := range sizes {
			if err == nil {
				err = b.jobs(ctx, a, durability, size)
			}
		}
		a.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) jobs(ctx context.Context, a *arena, durability string, size int) error {
	prompt := text(size)
	empty := func(ctx context.Context, _ int) error { return a.empty(ctx, rawAgent, genesisAgent) }
	filled := func(agent string) func(context.Context, int) error {
		return func(ctx context.Context, n int) error {
			if err := empty(ctx, n); err != nil {
				return err
			}
			payload := []byte(fmt.Sprintf(`{"prompt":%q}`, prompt))
			return a.fill(ctx, agent, n, payload, agent == genesisAgent)
		}
	}
	publishRaw := func(ctx context.Context, n int) error { return rawPublish(ctx, a.rawPublisher, n, prompt) }
	publishOurs := func(ctx context.Context, n int) error {
		return publish(ctx, a.publisher, genesisAgent, n, inFlight, prompt)
	}
	for _, phase := range []struct {
		name          string
		base, genesis side
		target        target
	}{
		{
			"publish",
			side{"raw", empty, timed(publishRaw)},
			side{"genesis", empty, timed(publishOurs)},
			target{},
		},
		{
			"consume",
			side{"raw", filled(rawAgent), a.rawWork(nil)},
			side{"genesis", filled(genesisAgent), a.work(nil)},
			target{},
		},
		{
			"both",
			side{"raw", empty, a.rawWork(publishRaw)},
			side{"genesis", empty, a.work(publishOurs)},
			target{AtLeast: 0.9},
		},
	} {
		name := fmt.Sprintf("%s %s %d B", durability, phase.name, size)
		if !b.wants(name) {
			continue
		}
		c, err := b.compare(ctx, a.broker, name, phase.base, phase.genesis)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.add(row{
			Case: name, Unit: "jobs/s", Base: c.base, Genesis: c.genesis, Ratio: c.ratio, Target: phase.target,
			BaseCPU: c.baseCPU, GenesisCPU: c.genesisCPU,
		})
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

// rawWork runs the raw worker beside f until it has done n jobs.
func (a *arena) rawWork(f func(context.Context, int) error) func(context.Context, int) (time.Duration, error) {
	return func(ctx context.Context, n int) (took time.Duration, err error) {
		c := newCountdown(n)
		w := &rawWorker{nc: a.rawWorker, done: c.one}
		err = working(ctx, w.work, func(ctx context.Context) (err error) {
			took, err = c.until(ctx, f, n)
			return err
		})
		return took, err
	}
}

// work runs a pool beside f until it has settled n jobs.
func (a *arena) work(f func(context.Context, int) error) func(context.Context, int) (time.Duration, error) {
	return func(ctx context.Context, n int) (took time.Duration, err error) {
		c := newCountdown(n)
		var strange atomic.Pointer[bus.Settlement]
		p, err := pool(a.worker, genesisAgent, slots, echo(), func(s bus.Settlement) {
			if s.Verdict != bus.VerdictSuccess {
				strange.Store(&s)
			}
			c.one()
		})
		if err != nil {
			return 0, err
		}
		err = working(ctx, p.Run, func(ctx context.Context) (err error) {
			took, err = c.until(ctx, f, n)
			return err
		})
		if s := strange.Load(); s != nil {
			return took, fmt.Errorf("a job came to %s: %w", s.Verdict, s.Err)
		}
		return took, err
	}
}
