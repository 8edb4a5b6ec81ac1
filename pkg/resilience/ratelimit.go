package resilience

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// causeRate is the cause of a rate limit's rejections.
const causeRate = "rate limit"

// maxStash is the most tokens a rate limit takes out of its limiter at once.
const maxStash = 64

// RateLimitOptions describe a [RateLimit].
type RateLimitOptions struct {
	// Name is what the limit is called in events and stats.
	Name string

	// PerSecond is how many calls may start a second, in the long run; more
	// than 0. A tenth is one call in ten seconds.
	PerSecond float64

	// Burst is how many may start at once after a quiet time. Zero: as many as
	// a second brings, and at least 1.
	Burst int

	// MaxWait is how long a call may wait for its turn. Zero: not at all, a
	// call that comes too early is rejected.
	MaxWait time.Duration

	// RetryAfter is when rejected calls are told to come back. Zero: 1 s, or
	// when the next token comes if that is later.
	RetryAfter time.Duration

	// Observer is told of rejections. It may be nil.
	Observer Observer
}

// RateLimit is a [Policy] that bounds how often calls start: a token bucket. A
// call that comes too early waits for its turn, first come first served, if it
// may wait so long and its deadline allows it; otherwise it is rejected at once,
// also when it would only have to wait.
//
// All rejections match [ErrRejected], since the work was not tried.
type RateLimit struct {
	name     string
	maxWait  time.Duration
	observer Observer
	early    RejectedError // made once: rejecting allocates nothing
	burst    int
	epoch    time.Time

	// stash holds tokens taken out of the limiter, batch at a time: a lock each
	// so many calls and not for each. The limiter's own burst is smaller by as
	// much.
	stash    atomic.Int64
	batch    int
	empty    atomic.Int64 // until when, since epoch, the limiter is known to be empty
	rejected atomic.Uint64

	mu      sync.Mutex // held while tokens go from the limiter to the stash, so that the stash holds one batch
	limiter *rate.Limiter
}

// NewRateLimit returns a rate limit, or everything wrong with its options.
func NewRateLimit(o RateLimitOptions) (*RateLimit, error) {
	p := problems{policy: "rate limit"}
	checkRate(&p, o.PerSecond, o.Burst)
	p.unless(o.MaxWait >= 0, "MaxWait", "is %v; it must not be negative", o.MaxWait)
	p.unless(o.RetryAfter >= 0, "RetryAfter", "is %v; it must not be negative", o.RetryAfter)
	if err := p.err(); err != nil {
		return nil, err
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = max(defaultRetryAfter, secondsOf(1/o.PerSecond))
	}
	if o.Burst == 0 {
		o.Burst = secondsWorth(o.PerSecond)
	}
	r := &RateLimit{
		name: o.Name, maxWait: o.MaxWait, observer: o.Observer,
		early: RejectedError{Cause: causeRate, After: o.RetryAfter},
		burst: o.Burst, epoch: time.Now(), batch: min(max(o.Burst/8, 1), maxStash),
	}
	if r.batch > 1 {
		r.stash.Store(int64(r.batch))
	}
	r.limiter = rate.NewLimiter(rate.Limit(o.PerSecond), o.Burst-int(r.stash.Load()))
	return r, nil
}

// checkRate notes what is wrong with a rate and its burst.
func checkRate(p *problems, perSecond float64, burst int) {
	p.unless(1e-6 <= perSecond && perSecond <= maxPermits, "PerSecond", "is %v; it must be within 0.000001 and %d", perSecond, maxPermits)
	p.unless(0 <= burst && burst <= maxPermits, "Burst", "is %d; it must be within 0 (as many as a second brings) and %d", burst, maxPermits)
}

func secondsWorth(perSecond float64) int { return max(int(math.Ceil(perSecond)), 1) }

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Do implements [Policy].
func (r *RateLimit) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	if !r.take() {
		if rejection := r.wait(ctx); rejection != nil {
			r.rejected.Add(1)
			reportRate(r.observer, r.name, rejection)
			return rejection
		}
	}
	return next(ctx)
}

// take takes a token if there is one.
func (r *RateLimit) take() bool {
	if r.fromStash() {
		return true
	}
	if int64(time.Since(r.epoch)) < r.empty.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fromStash() { // filled meanwhile
		return true
	}
	now := time.Now()
	if r.batch > 1 && r.limiter.AllowN(now, r.batch) {
		r.stash.Store(int64(r.batch - 1))
		return true
	}
	if r.limiter.AllowN(now, 1) {
		return true
	}
	missing := 1 - r.limiter.TokensAt(now)
	r.empty.Store(int64(now.Sub(r.epoch) + secondsOf(missing/float64(r.limiter.Limit()))))
	return false
}

func (r *RateLimit) fromStash() bool {
	for {
		n := r.stash.Load()
		if n <= 0 {
			return false
		}
		if r.stash.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// wait waits for a token, or says why not.
func (r *RateLimit) wait(ctx context.Context) *RejectedError {
	if r.maxWait <= 0 {
		return &r.early
	}
	now := time.Now()
	turn := r.limiter.ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	deadline, bounded := ctx.Deadline()
	if delay > r.maxWait || bounded && delay > deadline.Sub(now) {
		turn.CancelAt(now)
		return &r.early
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return &RejectedError{Cause: causeRate, Err: context.Cause(ctx)}
	}
}

// drain takes all tokens there are.
func (r *RateLimit) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stash.Store(0)
	now := time.Now()
	r.limiter.AllowN(now, int(r.limiter.TokensAt(now)))
}

// reportRate tells o that a rate limit rejected a call.
func reportRate(o Observer, name string, e *RejectedError) {
	if o != nil {
		o(Event{Kind: EventRejected, Policy: "ratelimit", Name: name, Reason: e.Cause, Delay: e.After, Err: e.Err})
	}
}

// RateLimitStats is a rate limit at one moment.
type RateLimitStats struct {
	Name      string  `json:"name"`
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
	Tokens    float64 `json:"tokens"`   // how many calls could start now; below 0 when calls wait
	Rejected  uint64  `json:"rejected"` // how many calls were not run, since the start
}

// Stats returns the limit as it is now.
func (r *RateLimit) Stats() RateLimitStats {
	return RateLimitStats{
		Name: r.name, PerSecond: float64(r.limiter.Limit()), Burst: r.burst,
		Tokens: float64(r.stash.Load()) + r.limiter.Tokens(), Rejected: r.rejected.Load(),
	}
}
