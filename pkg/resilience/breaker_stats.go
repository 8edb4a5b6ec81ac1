package resilience

import (
	"sync/atomic"
	"time"
)

// BreakerStats are what the guide's get_stats returns, and when the breaker
// opened and will probe.
type BreakerStats struct {
	// Name is the dependency's.
	Name string `json:"name"`

	// State is [StateClosed], [StateOpen] or [StateHalfOpen].
	State string `json:"state"`

	// FailureCount and SuccessCount are the calls that counted since the breaker
	// was made or reset. TotalCalls is their sum: what says nothing about the
	// dependency is in none of them.
	FailureCount uint64 `json:"failure_count"`
	SuccessCount uint64 `json:"success_count"`
	TotalCalls   uint64 `json:"total_calls"`

	// SuccessRate is SuccessCount of TotalCalls, within 0 and 1; 1 without calls.
	SuccessRate float64 `json:"success_rate"`

	// LastFailureTime is nil without a failure.
	LastFailureTime *time.Time `json:"last_failure_time"`

	// OpenedAt is since when the breaker is not closed; nil when it is. A probe
	// that fails does not move it.
	OpenedAt *time.Time `json:"opened_at"`

	// NextProbeAt is when an open breaker will let a call through; nil when it is
	// not open, or isolated.
	NextProbeAt *time.Time `json:"next_probe_at"`
}

// Stats returns the breaker's state and counts. The counts go on through every
// change of state.
func (b *Breaker) Stats() BreakerStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := BreakerStats{
		Name:         b.options.Name,
		State:        b.state(),
		FailureCount: b.failures.Load(),
		SuccessCount: b.successes.Load(),
		SuccessRate:  1,
	}
	if s.TotalCalls = s.FailureCount + s.SuccessCount; s.TotalCalls > 0 {
		s.SuccessRate = float64(s.SuccessCount) / float64(s.TotalCalls)
	}
	if f := b.lastFailure.Load(); f != nil {
		s.LastFailureTime = utc(f.at)
	}
	switch {
	case !b.isolated.IsZero():
		s.OpenedAt = utc(b.isolated)
	case b.phase != StateClosed:
		s.OpenedAt = utc(b.openedAt)
		if s.State == StateOpen {
			s.NextProbeAt = utc(b.probeAt)
		}
	}
	return s
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}

// counters count calls for the stats, in every state alike.
type counters struct {
	successes   atomic.Uint64
	failures    atomic.Uint64
	lastFailure atomic.Pointer[failure]
}

type failure struct {
	at  time.Time
	err error
}

func (c *counters) count(how callEnd) {
	switch how {
	case endedWell, endedWellSlowly:
		c.successes.Add(1)
	case endedExcluded:
	default:
		c.failures.Add(1)
	}
}

func (c *counters) clear() {
	c.successes.Store(0)
	c.failures.Store(0)
	c.lastFailure.Store(nil)
}

func (c *counters) lastError() error {
	if f := c.lastFailure.Load(); f != nil {
		return f.err
	}
	return nil
}
