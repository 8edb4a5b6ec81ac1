package resilience_test

import (
	"math"
	"time"

	"genesis/pkg/resilience"
)

// The ends of a call in the model.
const (
	endSuccess   = "success"
	endFailure   = "failure"
	endPermanent = "permanent"
	endRejected  = "rejected"
	endCanceled  = "canceled"
	endPanic     = "panic"
	endGoexit    = "goexit"
)

// modelCall is a call in flight: of the real breaker, and as the model sees it.
type modelCall struct {
	end  chan string
	err  chan error
	gen  int
	ramp *modelRamp
	at   time.Time
}

type modelRamp struct {
	successes, inFlight int
	until               time.Time
}

type modelWindowCall struct {
	step         int64
	failed, slow bool
}

// breakerModel says in plain words what a breaker does, one thing at a time.
type breakerModel struct {
	o     resilience.BreakerOptions
	epoch time.Time

	phase                 string
	gen                   int // changes with the phase and whenever an operator or a vote decides
	consecutive           int
	window                []modelWindowCall
	probes, probeSuccess  int
	openedAt, probeAt     time.Time
	halfAt, isolatedAt    time.Time
	ramp                  *modelRamp
	isolated, majority    bool
	successes, failures   uint64
	failedAt              time.Time
	voted                 bool
	expectedRejectedAfter time.Duration
}

func (m *breakerModel) enter(phase string) {
	if phase == resilience.StateOpen {
		if m.phase == resilience.StateClosed {
			m.openedAt = time.Now()
		}
		m.probeAt = time.Now().Add(m.o.RecoveryTimeout)
	}
	if phase == resilience.StateHalfOpen {
		m.halfAt = time.Now()
	}
	m.phase, m.ramp, m.voted = phase, nil, false
	m.gen++
	m.consecutive, m.window, m.probes, m.probeSuccess = 0, nil, 0, 0
}

// start says why a call is rejected; empty: it is let through.
func (m *breakerModel) start(c *modelCall) string {
	now := time.Now()
	m.expectedRejectedAfter = 0
	switch {
	case m.isolated:
		return "breaker isolated"
	case m.phase == resilience.StateOpen && now.Before(m.probeAt):
		m.expectedRejectedAfter = m.probeAt.Sub(now)
		return "breaker open"
	case m.phase == resilience.StateOpen:
		m.enter(resilience.StateHalfOpen)
	case m.ramp != nil && !now.Before(m.ramp.until):
		m.ramp = nil
	case m.ramp != nil && m.ramp.inFlight > m.ramp.successes:
		return "breaker recovering"
	}
	if m.phase == resilience.StateHalfOpen && m.probes >= m.o.Probes {
		if now.Sub(m.halfAt) < m.o.RecoveryTimeout {
			return "breaker half-open"
		}
		m.enter(resilience.StateOpen)
		return "breaker open"
	}
	if m.phase == resilience.StateHalfOpen {
		m.probes++
	}
	if m.ramp != nil {
		m.ramp.inFlight++
	}
	c.gen, c.ramp, c.at = m.gen, m.ramp, now
	return ""
}

func (m *breakerModel) finish(c *modelCall, end string) {
	slow := m.o.SlowCall > 0 && time.Since(c.at) >= m.o.SlowCall && end != endPanic && end != endGoexit
	failed := end == endFailure || end == endPanic || end == endGoexit
	if c.ramp != nil {
		c.ramp.inFlight--
	}
	if !failed && end != endSuccess {
		if c.gen == m.gen && m.phase == resilience.StateHalfOpen {
			m.probes--
		}
		return
	}
	if failed {
		m.failures++
		m.failedAt = time.Now()
	} else {
		m.successes++
	}
	if c.gen == m.gen {
		switch m.phase {
		case resilience.StateClosed:
			if end != endGoexit {
				m.closedCall(failed, slow)
			}
		case resilience.StateHalfOpen:
			if failed || slow {
				if end != endGoexit || !m.isolated {
					m.enter(resilience.StateOpen)
				}
			} else if m.probeSuccess++; m.probeSuccess >= m.o.Probes {
				probes := m.o.Probes
				m.enter(resilience.StateClosed)
				m.startRamp(probes)
			}
		}
	}
	if r := c.ramp; r != nil {
		if failed {
			r.successes = 0
		} else if r.successes++; r.successes >= m.o.Ramp && r == m.ramp {
			m.ramp = nil
		}
	}
}

func (m *breakerModel) closedCall(failed, slow bool) {
	trip := false
	if failed {
		m.consecutive++
		trip = m.o.FailureThreshold > 0 && m.consecutive >= m.o.FailureThreshold
	}
	if m.o.FailureRate > 0 || m.o.SlowRate > 0 {
		step := int64(time.Since(m.epoch) / (m.o.Window / 10))
		m.window = append(m.window, modelWindowCall{step, failed, slow})
		var calls, failures, slows float64
		for _, c := range m.window {
			if c.step > step-10 {
				calls++
				if c.failed {
					failures++
				}
				if c.slow {
					slows++
				}
			}
		}
		if calls >= float64(m.o.MinCalls) {
			trip = trip || m.o.FailureRate > 0 && failures/calls >= m.o.FailureRate
			trip = trip || m.o.SlowRate > 0 && slows/calls >= m.o.SlowRate
		}
	}
	if !failed {
		m.consecutive = 0
	}
	if trip {
		m.enter(resilience.StateOpen)
	}
}

func (m *breakerModel) startRamp(successes int) {
	if successes < m.o.Ramp {
		m.ramp = &modelRamp{successes: successes, until: time.Now().Add(m.o.RecoveryTimeout)}
	}
}

func (m *breakerModel) room() int {
	switch {
	case m.state() == resilience.StateOpen:
		return 0
	case m.phase == resilience.StateOpen:
		return m.o.Probes
	case m.phase == resilience.StateHalfOpen:
		return max(m.o.Probes-m.probes, 0)
	case m.ramp != nil && time.Now().Before(m.ramp.until):
		return max(m.ramp.successes+1-m.ramp.inFlight, 0)
	}
	return math.MaxInt
}

func (m *breakerModel) state() string {
	if m.isolated {
		return resilience.StateOpen
	}
	if m.phase == resilience.StateOpen && !time.Now().Before(m.probeAt) {
		return resilience.StateHalfOpen
	}
	return m.phase
}
