package resilience

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// The zero [SharedRateLimitOptions]'s values, and how they relate.
const (
	defaultInterval = 100 * time.Millisecond
	forgetIntervals = 50 // a replica that did not come for so many is gone
	updateIntervals = 10 // the store has so many to answer
)

// SharedRateLimitOptions describe a [SharedRateLimit].
type SharedRateLimitOptions struct {
	// Name is what the limit is called in events, stats and the store.
	Name string

	// PerSecond, Burst and Observer are those of [RateLimitOptions], for all
	// replicas together. Burst must hold what two intervals bring.
	PerSecond float64
	Burst     int
	Observer  Observer

	// MaxWaiting and MaxWait are how many calls of this replica may wait for a
	// token, and how long. Zero: none. Each needs the other.
	MaxWaiting int
	MaxWait    time.Duration

	// RetryAfter is when rejected calls are told to come back. Zero: 1 s.
	RetryAfter time.Duration

	// Store is where the replicas share the limit.
	Store TokenStore

	// Replica names this replica; no two have the same name.
	Replica string

	// Replicas is how many share the limit, as far as one knows before the store
	// can be asked. Zero: 1.
	Replicas int

	// Interval is how often tokens are leased. Zero: 100 ms.
	Interval time.Duration
}

// SharedRateLimit is a [Policy] that bounds how often calls start on all
// replicas together. [SharedRateLimit.Run] leases tokens from the store, about
// as many as its calls are going to need, and gives back what they do not; a
// call takes one of those in hand and never waits for the store.
//
// No replica ever leases more than the bucket holds, so together they keep the
// rate exactly, and a replica without calls keeps one token from the others.
//
// When the store is away, and before Run runs and after, the limit is local:
// PerSecond divided by the number of replicas seen last. It then starts without
// a burst, and the store is told later what was used, so that a store that comes
// and goes does not raise the rate.
type SharedRateLimit struct {
	o     SharedRateLimitOptions
	early RejectedError // made once: rejecting allocates nothing

	tokens   permits                   // leased
	local    atomic.Pointer[RateLimit] // what counts while the store is away; nil while it is not
	spent    atomic.Int64              // tokens of local that the store has not heard of
	rejected atomic.Uint64
	running  atomic.Bool
	replicas atomic.Int64 // seen last
}

// NewSharedRateLimit returns a shared rate limit, or everything wrong with its
// options.
func NewSharedRateLimit(o SharedRateLimitOptions) (*SharedRateLimit, error) {
	p := problems{policy: "shared rate limit"}
	checkRate(&p, o.PerSecond, o.Burst)
	p.unless(o.Interval >= 0, "Interval", "is %v; it must not be negative", o.Interval)
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.Burst == 0 {
		o.Burst = max(secondsWorth(o.PerSecond), int(math.Ceil(2*o.PerSecond*o.Interval.Seconds())))
	}
	p.unless(!(float64(o.Burst) < 2*o.PerSecond*o.Interval.Seconds()), "Burst", "is %d; it must hold what two intervals of %v bring", o.Burst, o.Interval)
	p.unless(o.Name != "", "Name", "is missing; the store needs one")
	p.unless(o.Store != nil, "Store", "is missing; without one use a RateLimit")
	p.unless(o.Replica != "", "Replica", "is missing; each replica needs a name of its own")
	p.unless(o.Replicas >= 0, "Replicas", "is %d; it must not be negative", o.Replicas)
	BulkheadOptions{MaxWaiting: o.MaxWaiting, MaxWait: o.MaxWait, RetryAfter: o.RetryAfter}.check(&p)
	p.unless(o.MaxWaiting <= 0 || o.MaxWait > 0, "MaxWait", "is %v, but MaxWaiting is %d", o.MaxWait, o.MaxWaiting)
	if err := p.err(); err != nil {
		return nil, err
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = defaultRetryAfter
	}
	s := &SharedRateLimit{
		o:     o,
		early: RejectedError{Cause: causeRate, After: o.RetryAfter},
	}
	s.replicas.Store(int64(max(o.Replicas, 1)))
	local, err := s.newLocal()
	if err != nil {
		return nil, err
	}
	s.local.Store(local)
	return s, nil
}

// newLocal returns this replica's part of the limit.
func (s *SharedRateLimit) newLocal() (*RateLimit, error) {
	n := s.replicas.Load()
	return NewRateLimit(RateLimitOptions{
		Name: s.o.Name, PerSecond: max(s.o.PerSecond/float64(n), 1e-6), Burst: max(s.o.Burst/int(n), 1),
		MaxWait: s.o.MaxWait, RetryAfter: s.o.RetryAfter,
	})
}

// Do implements [Policy].
func (s *SharedRateLimit) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	if !s.tokens.try() {
		if rejection := s.wait(ctx); rejection != nil {
			s.rejected.Add(1)
			reportRate(s.o.Observer, s.o.Name, rejection)
			return rejection
		}
	}
	return next(ctx)
}

// wait takes a token, leased or local, or says why not.
func (s *SharedRateLimit) wait(ctx context.Context) *RejectedError {
	if local := s.local.Load(); local != nil {
		if !local.take() {
			if rejection := local.wait(ctx); rejection != nil {
				return rejection
			}
		}
		s.spent.Add(1)
		return nil
	}
	switch s.tokens.wait(ctx, s.o.MaxWait, s.o.MaxWaiting) {
	case granted:
		return nil
	case ended:
		return &RejectedError{Cause: causeRate, Err: context.Cause(ctx)}
	default:
		return &s.early
	}
}

// SharedRateLimitStats is a shared rate limit at one moment, on one replica.
type SharedRateLimitStats struct {
	Name      string  `json:"name"`
	PerSecond float64 `json:"per_second"` // of all replicas
	Burst     int     `json:"burst"`      // of all replicas
	Replicas  int     `json:"replicas"`   // seen last
	Local     bool    `json:"local"`      // the store is away
	Tokens    int     `json:"tokens"`     // leased and not used
	Waiting   int     `json:"waiting"`    // calls that wait for a lease
	Rejected  uint64  `json:"rejected"`   // how many calls were not run, since the start
}

// Stats returns the limit as it is now.
func (s *SharedRateLimit) Stats() SharedRateLimitStats {
	waiting, free := s.tokens.count()
	return SharedRateLimitStats{
		Name: s.o.Name, PerSecond: s.o.PerSecond, Burst: s.o.Burst, Replicas: int(s.replicas.Load()),
		Local: s.local.Load() != nil, Tokens: max(free, 0), Waiting: waiting, Rejected: s.rejected.Load(),
	}
}

// errRunning is what the second of two Runs at once gets.
func errRunning(what, name string) error {
	return Permanent(fmt.Errorf("%s %s: Run is running already", what, name))
}

// hasContext is usable for what takes no function.
func hasContext(ctx context.Context) error {
	return usable(ctx, func(context.Context) error { return nil })
}
