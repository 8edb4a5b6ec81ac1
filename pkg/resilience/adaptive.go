package resilience

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The zero [AdaptiveOptions]'s values.
const (
	defaultTolerance   = 2
	defaultWindow      = 500 * time.Millisecond
	defaultMinCalls    = 20
	defaultBaselineAge = 2 * time.Minute
)

// AdaptiveOptions describe an [AdaptiveBulkhead].
type AdaptiveOptions struct {
	// Name, MaxWaiting, MaxWait, RetryAfter and Observer are those of
	// [BulkheadOptions].
	Name       string
	MaxWaiting int
	MaxWait    time.Duration
	RetryAfter time.Duration
	Observer   Observer

	// Floor and Ceiling bound the number of slots. Floor zero: 1. Ceiling must
	// not be below Floor.
	Floor, Ceiling int

	// Initial is the number of slots to start with. Zero: Floor.
	Initial int

	// Tolerance is how many times its unloaded latency a call may take before
	// the dependency counts as congested. Zero: 2. It must be above 1.
	Tolerance float64

	// Window is the shortest time, and MinCalls the least number of calls,
	// between two changes of the limit. Zero: 500 ms and 20.
	Window   time.Duration
	MinCalls int

	// BaselineAge is how long a measured unloaded latency is believed. Zero: 2
	// minutes.
	BaselineAge time.Duration
}

// AdaptiveBulkhead is a [Bulkhead] that finds its number of slots from the
// latency of its calls.
//
// It is AIMD, as in TCP: while the median of a window stays below Tolerance
// times the unloaded latency and the slots are used, one slot more (twice as
// many, until the first congestion halves them); otherwise a tenth less. Not a gradient,
// which sets the limit in proportion to the latency, for two reasons. Replicas
// that share a dependency, each with a limiter of its own, come to equal shares
// only by additive increase and multiplicative decrease. And the latency of a
// model varies tenfold with its prompt: whether a median is clearly too high is a
// sound question, by how much is noise.
//
// The unloaded latency is the lowest median seen. Since load that never ends
// would hide how fast the dependency is, or has become, it is measured anew
// every BaselineAge: for two windows, of a quarter of MinCalls, the slots are
// divided by twice Tolerance, which empties the dependency's queue.
//
// Calls that succeed or hit their bound count; a dependency that says when to
// come back counts as congested. Other failures, rejections and calls whose
// caller went away say nothing about load.
type AdaptiveBulkhead struct {
	bulkhead *Bulkhead
	window   time.Duration
	minCalls int
	epoch    time.Time
	samples  latencyWindow

	enough  atomic.Int64 // how many calls make a window: fewer while the unloaded latency is measured
	changed atomic.Int64 // when the limit last changed, since epoch; calls from before say nothing about it

	mu     sync.Mutex // held by the one that closes a window
	opened time.Duration
	limit  aimd
}

// NewAdaptiveBulkhead returns an adaptive bulkhead, or everything wrong with its
// options.
func NewAdaptiveBulkhead(o AdaptiveOptions) (*AdaptiveBulkhead, error) {
	o = o.withDefaults()
	p := problems{policy: "adaptive bulkhead"}
	p.unless(0 < o.Floor && o.Floor <= maxPermits, "Floor", "is %d; it must be within 1 and %d", o.Floor, maxPermits)
	p.unless(o.Floor <= o.Ceiling && o.Ceiling <= maxPermits, "Ceiling", "is %d; it must be within Floor (%d) and %d", o.Ceiling, o.Floor, maxPermits)
	p.unless(o.Floor <= o.Initial && o.Initial <= o.Ceiling, "Initial", "is %d; it must be within Floor (%d) and Ceiling (%d)", o.Initial, o.Floor, o.Ceiling)
	p.unless(o.Tolerance > 1 && o.Tolerance <= 100, "Tolerance", "is %v; it must be above 1 and at most 100", o.Tolerance)
	p.unless(o.Window > 0, "Window", "is %v; it must not be negative", o.Window)
	p.unless(0 < o.MinCalls && o.MinCalls <= maxPermits, "MinCalls", "is %d; it must be within 1 and %d", o.MinCalls, maxPermits)
	p.unless(o.BaselineAge >= o.Window, "BaselineAge", "is %v; it must not be below Window (%v)", o.BaselineAge, o.Window)
	slots := BulkheadOptions{
		Name: o.Name, Slots: o.Initial, MaxWaiting: o.MaxWaiting, MaxWait: o.MaxWait, RetryAfter: o.RetryAfter, Observer: o.Observer,
	}
	slots.check(&p)
	if err := p.err(); err != nil {
		return nil, err
	}
	a := &AdaptiveBulkhead{
		bulkhead: newBulkhead(slots),
		window:   o.Window,
		minCalls: o.MinCalls,
		epoch:    time.Now(),
		limit: aimd{
			floor: o.Floor, ceiling: o.Ceiling, tolerance: o.Tolerance, maxAge: o.BaselineAge,
			limit: o.Initial, starting: true,
		},
	}
	a.enough.Store(int64(o.MinCalls))
	return a, nil
}

func (o AdaptiveOptions) withDefaults() AdaptiveOptions {
	if o.Floor == 0 {
		o.Floor = 1
	}
	if o.Initial == 0 {
		o.Initial = o.Floor
	}
	if o.Tolerance == 0 {
		o.Tolerance = defaultTolerance
	}
	if o.Window == 0 {
		o.Window = defaultWindow
	}
	if o.MinCalls == 0 {
		o.MinCalls = defaultMinCalls
	}
	if o.BaselineAge == 0 {
		o.BaselineAge = max(defaultBaselineAge, o.Window)
	}
	return o
}

// Do implements [Policy].
func (a *AdaptiveBulkhead) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	if !a.bulkhead.permits.try() {
		if err := a.bulkhead.wait(ctx); err != nil {
			return err
		}
	}
	defer a.bulkhead.permits.add(1)
	started := time.Since(a.epoch)
	err := next(ctx)
	a.learn(ctx, started, err)
	return err
}

// Stats returns the bulkhead as it is now; Slots is the limit found.
func (a *AdaptiveBulkhead) Stats() BulkheadStats { return a.bulkhead.Stats() }

// learn takes a call into account, and closes the window when it is full.
func (a *AdaptiveBulkhead) learn(ctx context.Context, started time.Duration, err error) {
	now := time.Since(a.epoch)
	if int64(started) < a.changed.Load() {
		return
	}
	if _, free := a.bulkhead.permits.count(); 2*free <= int(a.bulkhead.slots.Load()) {
		a.samples.used.Store(true)
	}
	var calls int64
	switch signalOf(ctx, err) {
	case signalNone:
		return
	case signalCongested:
		calls = a.samples.addCongested()
	case signalLatency:
		calls = a.samples.add(now - started)
	}
	if calls >= a.enough.Load() && a.mu.TryLock() {
		defer a.mu.Unlock()
		a.adjust(now)
	}
}

// adjust moves the limit once its window has passed. mu is held.
func (a *AdaptiveBulkhead) adjust(now time.Duration) {
	if now-a.opened < a.window {
		return
	}
	a.opened = now
	before := a.limit.limit
	after := a.limit.next(now, a.samples.take())
	enough := a.minCalls
	if a.limit.probing > 0 {
		enough = (enough + 3) / 4
	}
	a.enough.Store(int64(enough))
	if before == after {
		return
	}
	a.changed.Store(int64(now))
	a.bulkhead.resize(after)
	if o := a.bulkhead.observer; o != nil {
		o(Event{
			Kind: EventLimitChanged, Policy: "bulkhead", Name: a.bulkhead.name,
			From: strconv.Itoa(before), To: strconv.Itoa(after), Reason: a.limit.reason,
		})
	}
}

// signal is what one call says about load.
type signal int

const (
	signalNone signal = iota
	signalLatency
	signalCongested
)

func signalOf(ctx context.Context, err error) signal {
	switch {
	case err == nil:
		return signalLatency
	case errors.Is(err, ErrRejected):
		return signalNone
	case errors.Is(err, ErrTimeout):
		return signalLatency
	case ctx.Err() != nil:
		return signalNone
	}
	if _, asks := RetryDelay(err); asks {
		return signalCongested
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return signalLatency
	}
	return signalNone
}
