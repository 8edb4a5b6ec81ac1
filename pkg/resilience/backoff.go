package resilience

import (
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// The zero [Backoff]'s values.
const (
	defaultInitialDelay = time.Second
	defaultMaxDelay     = 5 * time.Minute
	defaultFactor       = 2
)

// Backoff says how long to wait between attempts: InitialDelay after the first
// failure, Factor times longer after each further one, up to MaxDelay. It holds
// no state, so the same value serves any number of concurrent retries, and an
// attempt counted elsewhere (by a ledger, over restarts) has its delay. The zero
// value waits 1 s, 2 s, 4 s and so on up to 5 minutes, without jitter.
type Backoff struct {
	// InitialDelay is the delay after the first failure. Zero or less: 1 s.
	InitialDelay time.Duration

	// MaxDelay is never exceeded, by jitter neither. Zero or less: 5 minutes.
	// It also bounds an InitialDelay that is longer.
	MaxDelay time.Duration

	// Factor multiplies the delay after each further failure. Below 1 or not a
	// number: 2. With 1 the delay is constant.
	Factor float64

	// Jitter spreads a delay evenly over 50 % to 150 % of itself, so that what
	// failed together does not return together.
	Jitter bool
}

// Delay returns how long to wait after the attempt-th failure; attempt 1 is the
// first, and less counts as 1. The delay is never negative and never above
// MaxDelay. Its cost does not depend on attempt. It is safe for concurrent use.
func (b Backoff) Delay(attempt int) time.Duration {
	b = b.withDefaults()
	if !b.Jitter {
		return b.interval(attempt)
	}
	// The library counts up from its first interval one call at a time; starting
	// it at the interval wanted reaches any attempt in one call.
	spread := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.interval(attempt)),
		backoff.WithRandomizationFactor(backoff.DefaultRandomizationFactor),
		backoff.WithMaxInterval(b.MaxDelay),
		backoff.WithMaxElapsedTime(0),
	)
	return b.below(spread.NextBackOff())
}

func (b Backoff) withDefaults() Backoff {
	if b.InitialDelay <= 0 {
		b.InitialDelay = defaultInitialDelay
	}
	if b.MaxDelay <= 0 {
		b.MaxDelay = defaultMaxDelay
	}
	if !(b.Factor >= 1) { // also true for NaN
		b.Factor = defaultFactor
	}
	return b
}

// interval is the delay before jitter. The comparison is in floating point,
// where a long run of failures is +Inf and not an overflow.
func (b Backoff) interval(attempt int) time.Duration {
	delay := float64(b.InitialDelay) * math.Pow(b.Factor, float64(max(attempt, 1)-1))
	if delay >= float64(b.MaxDelay) {
		return b.MaxDelay
	}
	return time.Duration(delay)
}

// below mirrors a jittered delay that passed MaxDelay back under it: cutting it
// off would bring half of all waits at the ceiling back at the same moment.
func (b Backoff) below(delay time.Duration) time.Duration {
	if delay < 0 { // 150 % of the longest possible durations overflows
		return b.MaxDelay
	}
	if delay > b.MaxDelay {
		return max(b.MaxDelay-(delay-b.MaxDelay), 0)
	}
	return delay
}
