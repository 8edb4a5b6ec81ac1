package resilience

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ChaosPolicy is the [Policy] of one service of a [Chaos]: its calls meet the
// faults of the scenarios at work for it. Latencies add up, and then the first
// failure counts; a call that fails so does not reach the service.
type ChaosPolicy struct {
	chaos   *Chaos
	service string
	faults  atomic.Pointer[[]fault] // nil: nothing is at work
}

// fault is a scenario at work for one service, with the number of calls it saw.
type fault struct {
	*active
	count *atomic.Uint64
}

// Do implements [Policy].
func (p *ChaosPolicy) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	faults := p.faults.Load()
	if faults == nil {
		return next(ctx)
	}
	if err := p.inject(ctx, *faults); err != nil {
		return err
	}
	return next(ctx)
}

// inject lets one call meet the faults, and returns what it fails with.
func (p *ChaosPolicy) inject(ctx context.Context, faults []fault) error {
	now := time.Now()
	var delay time.Duration
	var failure error
	expired := false
	for _, f := range faults {
		if !now.Before(f.until) {
			expired = true
			continue
		}
		if !f.hits(p.chaos.o.Seed, p.service, f.count.Add(1)-1) {
			continue
		}
		event := Event{Kind: EventChaos, Policy: "chaos", Name: p.service, Reason: f.Name}
		switch f.Kind {
		case NetworkLatency:
			delay += f.Latency
			event.Delay = f.Latency
		case CPUSpike:
			select {
			case p.chaos.spikes <- f.Scenario:
			default: // one runs, and one waits
			}
			event.Duration = f.Duration
		case ServiceFailure, TransientFailure, DisableService:
			event.Err = &ChaosError{Scenario: f.Name, Service: p.service, Err: f.Err}
			if failure == nil {
				failure = event.Err
			}
		}
		p.chaos.o.Observer.observe(event)
	}
	if expired {
		p.chaos.sweep(now)
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return failure
}

// The pace at which a spike computes and rests.
const spikeSlice = 10 * time.Millisecond

// spike keeps every core busy for the scenario's share of the time.
func (c *Chaos) spike(ctx context.Context, s Scenario) {
	ctx, cancel := context.WithTimeout(ctx, s.Duration)
	defer cancel()
	busy := time.Duration(s.Load * float64(spikeSlice))
	var cores sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		cores.Go(func() {
			rest := time.NewTicker(spikeSlice)
			defer rest.Stop()
			for {
				c.compute(busy)
				select {
				case <-ctx.Done():
					return
				case <-rest.C:
				}
			}
		})
	}
	cores.Wait()
}

// compute keeps one core busy.
func compute(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}
