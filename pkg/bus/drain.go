package bus

import (
	"context"
	"sync"
	"time"
)

// drainGrace is how long an execution may take to react to the end of its context.
const drainGrace = 2 * time.Second

// drain stops fetching, finishes what is held, and gives back what is not finished in
// time. Nothing is lost by it: what it gives back, another worker takes up.
func (p *Pool) drain(ctx context.Context, stop context.CancelCauseFunc) {
	p.mu.Lock()
	p.slots.close()
	p.mu.Unlock()
	p.carryOut(time.Now())

	limit := time.NewTimer(p.o.DrainTimeout)
	defer limit.Stop()
	idle := p.waitIdle(limit.C)
	if !idle {
		p.log.Warn("executions do not end in time; they are cut off and given back", "executing", p.Stats().InUse)
		stop(ErrDraining)
		grace := time.NewTimer(drainGrace)
		defer grace.Stop()
		idle = p.waitIdle(grace.C)
	}
	p.closePullers()
	close(p.done)
	if idle {
		p.running.Wait()
		return
	}
	p.abandon(ctx)
}

// waitIdle waits until nothing is held and no pull can bring more.
func (p *Pool) waitIdle(limit <-chan time.Time) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		p.mu.Lock()
		idle := len(p.held) == 0 && !p.slots.interactive.outstanding() && !p.slots.batch.outstanding()
		p.ended = p.ended || idle
		p.mu.Unlock()
		if idle {
			return true
		}
		select {
		case <-limit:
			return false
		case <-p.wake:
		case now := <-tick.C:
			p.checkPulls(now, !p.bus.Connected())
		}
	}
}

// isCut reports whether a drain has cut the executions off.
func (p *Pool) isCut() bool {
	select {
	case <-p.cut:
		return true
	default:
		return false
	}
}

// abandon gives back what a handler that ignores its context still holds. The ledger
// says so, because it is no crash.
func (p *Pool) abandon(ctx context.Context) {
	p.mu.Lock()
	p.ended = true
	left := make(map[*execution]*delivery, len(p.held))
	for e := range p.held {
		left[e] = e.delivery
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for e, d := range left {
		wg.Go(func() {
			if !e.settled.CompareAndSwap(false, true) {
				return
			}
			if d != nil {
				p.log.Error("an execution ignores the end of its context; its request goes to another worker", "request_id", d.job.ID)
				p.putBack(ctx, d, outcome{verdict: VerdictDraining, err: ErrDraining})
			}
			if err := e.msg.Nak(); err != nil {
				p.log.Debug("the broker was not told; it will deliver the message again", "error", err)
			}
		})
	}
	wg.Wait()
}

func (p *Pool) closePullers() {
	for _, puller := range p.pullers {
		puller.close()
	}
}

// heartbeat tells the broker that the executions are alive.
func (p *Pool) heartbeat(ctx context.Context) {
	tick := time.NewTicker(p.o.AckWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, e := range p.inHand() {
			if e.settled.Load() {
				continue
			}
			if err := e.msg.InProgress(); err != nil {
				p.log.Debug("a heartbeat was not sent", "error", err)
			}
		}
	}
}

func (p *Pool) inHand() []*execution {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*execution, 0, len(p.held))
	for e := range p.held {
		out = append(out, e)
	}
	return out
}
