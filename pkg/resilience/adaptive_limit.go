package resilience

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// aimd finds a limit from one window of calls after the other. It keeps no
// clock of its own and does no locking.
type aimd struct {
	floor, ceiling int
	tolerance      float64
	maxAge         time.Duration

	limit    int
	starting bool // never congested so far
	baseline time.Duration
	measured time.Duration // when baseline was
	probing  int           // windows until the baseline is measured anew; 0: not probing
	resume   int           // the limit after that
	reason   string        // why the limit last changed
}

// The reasons of a changed limit.
const (
	reasonUsed      = "slots used"
	reasonCongested = "congested"
	reasonProbe     = "measure unloaded latency"
	reasonMeasured  = "unloaded latency measured"
)

// windowed is what the calls of one window said.
type windowed struct {
	median    time.Duration // 0: no call had a latency
	congested float64       // the share of calls that said so themselves
	used      bool          // half of the slots or more were in use
}

// maxCongested is the share of calls that may be told to come back later before
// the window counts as congested.
const maxCongested = 0.1

// probeDepth is how far below the load that just keeps the dependency busy its
// unloaded latency is measured. At 1 a limit once too high would stay: the
// dependency would still queue while it is measured.
const probeDepth = 2

// next returns the limit after a window that ended now.
func (a *aimd) next(now time.Duration, w windowed) int {
	if a.probing > 0 {
		a.probe(now, w)
		return a.limit
	}
	if a.baseline == 0 || 0 < w.median && w.median < a.baseline {
		a.baseline = w.median
	}
	switch {
	case now-a.measured > a.maxAge: // before the rest: a dependency slower for good looks congested
		a.resume = a.limit
		a.limit = max(int(float64(a.limit)/(probeDepth*a.tolerance)), a.floor)
		a.probing = 2
		a.reason = reasonProbe
	case w.congested > maxCongested || float64(w.median) > a.tolerance*float64(a.baseline):
		less := min(a.limit*9/10, a.limit-1)
		if a.starting { // the last doubling was too much
			less = a.limit / 2
		}
		a.starting = false
		a.limit = max(less, a.floor)
		a.reason = reasonCongested
	case w.used && a.starting:
		a.limit = min(2*a.limit, a.ceiling)
		a.reason = reasonUsed
	case w.used:
		a.limit = min(a.limit+1, a.ceiling)
		a.reason = reasonUsed
	}
	return a.limit
}

// probe lets the first window pass, in which the dependency's queue empties, and
// measures in the second.
func (a *aimd) probe(now time.Duration, w windowed) {
	if a.probing--; a.probing > 0 {
		return
	}
	a.measured = now
	if w.median > 0 {
		a.baseline = w.median
	}
	a.limit = a.resume
	a.reason = reasonMeasured
}

// A latencyWindow counts calls by latency: four buckets to each doubling, from
// 1 us up, so that a bucket is at most a quarter wide of its lower end. It needs
// no lock; a call counted while the window is taken is in this one or the next.
type latencyWindow struct {
	calls, congested atomic.Int64
	used             atomic.Bool
	buckets          [latencyBuckets]atomic.Int64
}

const latencyBuckets = 4 * 40 // up to some 12 days

// add counts one call and returns how many the window holds.
func (w *latencyWindow) add(d time.Duration) int64 {
	w.buckets[bucketOf(d)].Add(1)
	return w.calls.Add(1)
}

// addCongested counts one call that was told to come back later, whose latency
// says nothing, and returns how many the window holds.
func (w *latencyWindow) addCongested() int64 {
	w.congested.Add(1)
	return w.calls.Add(1)
}

// take empties the window and returns what it held.
func (w *latencyWindow) take() windowed {
	var counts [latencyBuckets]int64
	var sum int64
	for i := range w.buckets {
		if w.buckets[i].Load() != 0 {
			counts[i] = w.buckets[i].Swap(0)
			sum += counts[i]
		}
	}
	w.calls.Store(0)
	congested := w.congested.Swap(0)
	taken := windowed{used: w.used.Swap(false), congested: float64(congested) / float64(max(sum+congested, 1))}
	var below int64
	for i, n := range counts {
		if below += n; n > 0 && 2*below >= sum {
			taken.median = bucketStart(i)
			break
		}
	}
	return taken
}

// bucketOf returns the bucket of d: the doubling it is in, and the two bits below
// its highest.
func bucketOf(d time.Duration) int {
	us := uint64(max(d/time.Microsecond, 0)) + 4 // the smallest doubling of four steps
	doubling := bits.Len64(us) - 3
	return min(4*doubling+int(us>>doubling&7)-4, latencyBuckets-1)
}

// bucketStart returns the least latency of bucket i, and 1 us for the first: a
// baseline is never zero.
func bucketStart(i int) time.Duration {
	us := int64(4+i%4)<<(i/4) - 4
	return max(time.Duration(us)*time.Microsecond, time.Microsecond)
}
