package resilience

import (
	"errors"

	"github.com/sony/gobreaker/v2"
)

// callEnd is how a call went, as far as a breaker cares.
type callEnd uint8

const (
	endedWell callEnd = iota
	endedWellSlowly
	endedExcluded // says nothing about the dependency
	endedBadly
	endedBadlySlowly
)

// What the machine is told in place of the call's own error, whose methods must
// not run under the machine's lock.
var (
	errSlow       = errors.New("succeeded slowly")
	errExcluded   = errors.New("says nothing about the dependency")
	errFailed     = errors.New("failed")
	errFailedSlow = errors.New("failed slowly")

	errUnwound = errors.New("the call panicked or ended its goroutine")
)

func (o callEnd) err() error {
	switch o {
	case endedWell:
		return nil
	case endedWellSlowly:
		return errSlow
	case endedExcluded:
		return errExcluded
	case endedBadlySlowly:
		return errFailedSlow
	default:
		return errFailed
	}
}

// The reasons of a trip.
const (
	tripConsecutive = "consecutive failures"
	tripFailureRate = "failure rate"
	tripSlowRate    = "slow calls"
	tripProbe       = "probe failed"
	tripAbandoned   = "probe abandoned"
	tripVotes       = "votes"
)

// machine is gobreaker with the rules it lacks. It has no way back to closed
// or open but through calls, so whoever decides otherwise puts a new one in its
// place; what the old one still decides then counts for nothing.
type machine struct {
	b    *Breaker
	core *gobreaker.CircuitBreaker[struct{}]

	// Only the core's callbacks use these, under the core's lock.
	window   window
	reason   string // why the core opens when it asks next
	halfOpen bool
}

func newMachine(b *Breaker) *machine {
	m := &machine{b: b, window: newWindow(b.options.Window)}
	m.core = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        b.options.Name,
		MaxRequests: uint32(b.options.Probes), //nolint:gosec // validated: at most 1<<30
		// The gate keeps calls out for the time that counts, with its jitter; the
		// core wants strictly more than its own to have passed.
		Timeout:       b.options.RecoveryTimeout - 1,
		IsExcluded:    func(how error) bool { return errors.Is(how, errExcluded) },
		IsSuccessful:  m.isSuccessful,
		ReadyToTrip:   m.readyToTrip,
		OnStateChange: m.changed,
	})
	return m
}

// newOpenMachine returns a machine that was never closed.
func newOpenMachine(b *Breaker) *machine {
	m := newMachine(b)
	m.reason = tripVotes
	_, _ = m.core.Execute(func() (struct{}, error) { return struct{}{}, errFailed })
	return m
}

// isSuccessful also keeps the window. A success that meets a rule (it was slow,
// or there are now enough calls for a rate) is called a failure, because only
// then does the core ask readyToTrip.
func (m *machine) isSuccessful(how error) bool {
	slow := errors.Is(how, errSlow) || errors.Is(how, errFailedSlow)
	failed := how != nil && !errors.Is(how, errSlow)
	if m.halfOpen {
		return !failed && !slow
	}
	if m.b.rates {
		m.window.add(m.b.clock(), failed, slow)
		if rate := m.rate(); rate != "" {
			m.reason = rate
		}
	}
	return !failed && m.reason == ""
}

// rate says which rate is over its limit, if any.
func (m *machine) rate() string {
	o, sum := &m.b.options, m.window.sum
	part := func(n int) float64 { return float64(n) / float64(sum.calls) }
	switch {
	case sum.calls < o.MinCalls:
		return ""
	case o.FailureRate > 0 && part(sum.failed) >= o.FailureRate:
		return tripFailureRate
	case o.SlowRate > 0 && part(sum.slow) >= o.SlowRate:
		return tripSlowRate
	}
	return ""
}

func (m *machine) readyToTrip(counts gobreaker.Counts) bool {
	if limit := m.b.options.FailureThreshold; m.reason == "" && limit > 0 && int64(counts.ConsecutiveFailures) >= int64(limit) {
		m.reason = tripConsecutive
	}
	return m.reason != ""
}

func (m *machine) changed(_ string, from, to gobreaker.State) {
	reason := m.reason
	if from == gobreaker.StateHalfOpen && to == gobreaker.StateOpen {
		reason = tripProbe
	}
	m.reason = ""
	m.window = newWindow(m.b.options.Window)
	m.halfOpen = to == gobreaker.StateHalfOpen
	m.b.changed(m, stateName(to), reason)
}

func stateName(s gobreaker.State) string {
	switch s {
	case gobreaker.StateOpen:
		return StateOpen
	case gobreaker.StateHalfOpen:
		return StateHalfOpen
	default:
		return StateClosed
	}
}
