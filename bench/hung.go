package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
)

// benchHung measures the latency of a healthy agent, eight callers at once, with
// nothing beside it and with an agent beside it in the same worker whose every slot is
// stuck and whose queue is long.
func benchHung(ctx context.Context, b *bench) error {
	const hung = "hung"
	a, err := openArena(ctx, relaxed, hung)
	if err != nil {
		return err
	}
	defer a.close()
	c, err := newCaller(a.publisher)
	if err != nil {
		return err
	}
	defer c.replies.Close()
	healthy, err := pool(a.worker, genesisAgent, slots, echo(), nil)
	if err != nil {
		return err
	}
	if err := a.fill(ctx, hung, 10*portion, []byte(`{"prompt":"never answered"}`)); err != nil {
		return err
	}
	const alone, beside, control = 0, 1, 2
	var took [3][][]float64
	err = working(ctx, func(ctx context.Context) error {
		if _, err := latencies(ctx, c, b.duration); err != nil { // warm
			return err
		}
		for i := range 3 * b.rounds {
			which := i % 3
			if i/3%2 == 1 {
				which = 2 - which // what comes first in one round comes last in the next
			}
			measure := func(ctx context.Context) error {
				more, err := latencies(ctx, c, b.duration)
				took[which] = append(took[which], more)
				return err
			}
			if which == beside {
				measure = a.besideHung(hung, measure)
			}
			if err := measure(ctx); err != nil {
				return err
			}
		}
		return nil
	}, healthy.Run)
	if err != nil {
		return err
	}
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		var was, is, ratios, noise []float64
		for i := range took[alone] {
			first, second := quantile(took[alone][i], q.share), quantile(took[control][i], q.share)
			was = append(was, (first+second)/2)
			is = append(is, quantile(took[beside][i], q.share))
			ratios = append(ratios, is[i]/was[i])
			noise = append(noise, max(first, second)/min(first, second))
		}
		b.add(row{
			Case: "with a hung neighbour " + q.name, Unit: "us", Base: median(was), Genesis: median(is), Ratio: median(ratios), Target: target{AtMost: 1.2},
			Note: fmt.Sprintf("base: alone; 8 callers, %d requests; two rounds alone differ by %.2f", len(slices.Concat(took[beside]...)), median(noise)),
		})
	}
	return nil
}

// besideHung runs f while all slots of an agent's pool are stuck until their end.
func (a *arena) besideHung(name string, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		stuck := make(chan struct{}, bus.DefaultSlots)
		p, err := pool(a.worker, name, bus.DefaultSlots, agents.Func(func(ctx context.Context, _ agents.Task) (agents.Result, error) {
			select {
			case stuck <- struct{}{}:
			default:
			}
			<-ctx.Done()
			return agents.Result{}, context.Cause(ctx)
		}), nil)
		if err != nil {
			return err
		}
		return working(ctx, func(ctx context.Context) error {
			for range bus.DefaultSlots - bus.DefaultSlots/5 { // but those kept for the other lane are taken too
				select {
				case <-stuck:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return f(ctx)
		}, p.Run)
	}
}

// latencies is how long each call took, in microseconds, of eight callers at once.
func latencies(ctx context.Context, c *caller, d time.Duration) ([]float64, error) {
	return callersLatencies(ctx, 8, d, func(ctx context.Context) error { return c.call(ctx, genesisAgent, "hi") })
}
