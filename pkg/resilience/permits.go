package resilience

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// maxPermits bounds every count that goes into a permits, so that sums of a few
// of them fit its 32 bits.
const maxPermits = math.MaxInt32 / 4

// permits is a counted number of permits and the queue of those who wait for
// one, first come first served. The zero value holds none. While nobody waits,
// taking and giving back are one compare-and-swap and no lock.
//
// The number free may be negative: add(-n) takes permits away from holders, who
// pay as they give theirs back.
type permits struct {
	// state holds the number waiting (upper half) and the number free (lower
	// half, signed), so that one compare-and-swap sees both: nobody overtakes
	// the queue. While somebody waits only the holder of mu changes it, and
	// nothing is free.
	state atomic.Int64

	mu          sync.Mutex
	first, last *waiter
}

// waiter is one place in the queue.
type waiter struct {
	granted      chan struct{} // closed, under mu, when it holds a permit
	before, next *waiter
}

// outcome is what became of one that asked for a permit.
type outcome int

const (
	granted outcome = iota
	full            // too many wait already
	late            // waited as long as it may
	ended           // its context ended
)

// packed is waiting * 2^32 + free. Of the lower half, what is above its middle
// stands for a negative number.
func packed(waiting, free int) int64 { return int64(waiting)<<32 + int64(free) }

func unpacked(state int64) (waiting, free int) {
	low := state & (1<<32 - 1)
	if low >= 1<<31 {
		low -= 1 << 32
	}
	return int((state - low) >> 32), int(low)
}

// count returns how many wait and how many are free.
func (p *permits) count() (waiting, free int) {
	return unpacked(p.state.Load())
}

// try takes a permit if one is free; while somebody waits, none is.
func (p *permits) try() bool {
	for {
		state := p.state.Load()
		waiting, free := unpacked(state)
		if free <= 0 {
			return false
		}
		if p.state.CompareAndSwap(state, packed(waiting, free-1)) {
			return true
		}
	}
}

// add adds n permits, or takes -n away, and hands what is free to those who wait.
func (p *permits) add(n int) {
	for {
		state := p.state.Load()
		waiting, free := unpacked(state)
		if waiting > 0 {
			break
		}
		if p.state.CompareAndSwap(state, packed(0, free+n)) {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		state := p.state.Load()
		waiting, free := unpacked(state)
		served := min(max(free+n, 0), waiting)
		if !p.state.CompareAndSwap(state, packed(waiting-served, free+n-served)) {
			continue // the last one waiting left before mu was held
		}
		for range served {
			close(p.pop().granted)
		}
		return
	}
}

// wait takes a permit, waiting up to limit for it behind at most maxWaiting-1
// others.
func (p *permits) wait(ctx context.Context, limit time.Duration, maxWaiting int) outcome {
	if maxWaiting <= 0 {
		return full
	}
	if ctx.Err() != nil {
		return ended
	}
	w, out := p.enqueue(maxWaiting)
	if w == nil {
		return out
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-w.granted:
		return granted
	case <-timer.C:
		if p.leave(w) {
			return late
		}
		return granted // in the same moment
	case <-ctx.Done():
		if !p.leave(w) {
			p.add(1)
		}
		return ended
	}
}

// enqueue takes a permit, or a place in the queue, or neither.
func (p *permits) enqueue(maxWaiting int) (*waiter, outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		state := p.state.Load()
		waiting, free := unpacked(state)
		switch {
		case waiting == 0 && free > 0:
			if p.state.CompareAndSwap(state, packed(0, free-1)) {
				return nil, granted
			}
		case waiting >= maxWaiting:
			return nil, full
		case p.state.CompareAndSwap(state, packed(waiting+1, free)):
			w := &waiter{granted: make(chan struct{})}
			p.push(w)
			return w, granted
		}
	}
}

// leave gives up w's place, and reports false when it holds a permit already.
func (p *permits) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.granted:
		return false
	default:
	}
	p.unlink(w)
	p.state.Add(-1 << 32) // one less waiting
	return true
}

func (p *permits) push(w *waiter) {
	if w.before = p.last; w.before != nil {
		w.before.next = w
	} else {
		p.first = w
	}
	p.last = w
}

func (p *permits) pop() *waiter {
	w := p.first
	p.unlink(w)
	return w
}

func (p *permits) unlink(w *waiter) {
	if w.before != nil {
		w.before.next = w.next
	} else {
		p.first = w.next
	}
	if w.next != nil {
		w.next.before = w.before
	} else {
		p.last = w.before
	}
}
