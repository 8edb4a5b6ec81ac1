package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
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

func (m *breakerModel) state() string {
	if m.isolated {
		return resilience.StateOpen
	}
	if m.phase == resilience.StateOpen && !time.Now().Before(m.probeAt) {
		return resilience.StateHalfOpen
	}
	return m.phase
}

// breakerRun is a real breaker beside its model, and the calls in flight.
type breakerRun struct {
	t       *rapid.T
	breaker *resilience.Breaker
	model   *breakerModel
	calls   []*modelCall
	wg      sync.WaitGroup
}

func (r *breakerRun) start(ctx context.Context) {
	c := &modelCall{end: make(chan string), err: make(chan error, 1)}
	want := r.model.start(c)
	began := make(chan struct{}, 1)
	r.wg.Go(func() {
		err := errors.New("unwound")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			c.err <- err
		}()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		err = r.breaker.Do(ctx, func(context.Context) error {
			began <- struct{}{}
			switch <-c.end {
			case endFailure:
				return errBoom
			case endPermanent:
				return resilience.Permanent(errBoom)
			case endRejected:
				return resilience.Reject("further in", 0)
			case endCanceled:
				cancel()
				return ctx.Err()
			case endPanic:
				panic("boom")
			case endGoexit:
				runtime.Goexit()
			}
			return nil
		})
	})
	synctest.Wait()
	select {
	case <-began:
		if want != "" {
			r.t.Fatalf("call let through, want rejected: %s", want)
		}
		r.calls = append(r.calls, c)
	default:
		err := <-c.err
		var rejected *resilience.RejectedError
		if !errors.As(err, &rejected) || rejected.Cause != want {
			r.t.Fatalf("got %v, want rejected: %q", err, want)
		}
		if left := r.model.expectedRejectedAfter; rejected.After < left || rejected.After > left+left/8+2*time.Millisecond && left > 0 {
			r.t.Fatalf("got come back in %v, want about %v and not less", rejected.After, left)
		}
	}
}

func (r *breakerRun) finish(i int, end string) {
	c := r.calls[i]
	r.calls = append(r.calls[:i], r.calls[i+1:]...)
	r.model.finish(c, end)
	c.end <- end
	synctest.Wait()
	if err := <-c.err; (err == nil) != (end == endSuccess) {
		r.t.Fatalf("got %v, input a call that ends in %s", err, end)
	}
}

func (r *breakerRun) check() {
	m, s := r.model, r.breaker.Stats()
	if got, want := r.breaker.State(), m.state(); got != want || s.State != want {
		r.t.Fatalf("state: got %s, stats %s, want %s", got, s.State, want)
	}
	if s.SuccessCount != m.successes || s.FailureCount != m.failures || s.TotalCalls != m.successes+m.failures {
		r.t.Fatalf("stats: got %+v, want %d successes, %d failures", s, m.successes, m.failures)
	}
	if s.TotalCalls > 0 && s.SuccessRate != float64(m.successes)/float64(m.successes+m.failures) {
		r.t.Fatalf("success rate: got %v", s.SuccessRate)
	}
	var openedAt, probeAt time.Time
	switch {
	case m.isolated:
		openedAt = m.isolatedAt
	case m.phase != resilience.StateClosed:
		openedAt = m.openedAt
		if m.state() == resilience.StateOpen {
			probeAt = m.probeAt
		}
	}
	for field, at := range map[string]struct {
		got  *time.Time
		want time.Time
	}{"opened_at": {s.OpenedAt, openedAt}, "next_probe_at": {s.NextProbeAt, probeAt}, "last_failure_time": {s.LastFailureTime, m.failedAt}} {
		if (at.got == nil) != at.want.IsZero() || at.got != nil && !at.got.Equal(at.want) {
			r.t.Fatalf("%s: got %v, want %v", field, at.got, at.want)
		}
	}
	if v := r.breaker.Vote("a"); v.Open != (m.phase == resilience.StateOpen && !m.voted && time.Now().Before(m.probeAt)) || v.Calls != s.TotalCalls {
		r.t.Fatalf("vote: got %+v, phase %s voted %v", v, m.phase, m.voted)
	}
}

func anyBreakerOptions(t *rapid.T) resilience.BreakerOptions {
	o := resilience.BreakerOptions{
		FailureThreshold: rapid.IntRange(1, 4).Draw(t, "threshold"),
		RecoveryTimeout:  time.Duration(rapid.IntRange(1, 60).Draw(t, "recovery")) * time.Second,
		Window:           time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Second,
		MinCalls:         rapid.IntRange(1, 6).Draw(t, "min calls"),
		Probes:           rapid.IntRange(1, 3).Draw(t, "probes"),
		Ramp:             rapid.IntRange(1, 5).Draw(t, "ramp"),
		NoJitter:         true,
	}
	if rapid.Bool().Draw(t, "rate") {
		o.FailureRate = rapid.Float64Range(0.1, 1).Draw(t, "failure rate")
		o.FailureThreshold = rapid.SampledFrom([]int{0, 1000}).Draw(t, "threshold beside a rate")
	}
	if rapid.Bool().Draw(t, "slow") {
		o.SlowCall = time.Duration(rapid.IntRange(1, 5).Draw(t, "slow call")) * time.Second
		o.SlowRate = rapid.Float64Range(0.1, 1).Draw(t, "slow rate")
	}
	return o
}

// TestBreakerBehavesAsItsModel drives a breaker and the model through every
// order of calls that begin, overlap and end, of operators, votes and time.
func TestBreakerBehavesAsItsModel(t *testing.T) {
	inBubble(t, func(ctx context.Context, t *rapid.T) {
		o := anyBreakerOptions(t)
		r := &breakerRun{
			t: t, breaker: newBreaker(t, o),
			model: &breakerModel{o: o, phase: resilience.StateClosed, epoch: time.Now()},
		}
		defer func() { // leave nothing behind, after a failure neither
			for _, c := range r.calls {
				c.end <- endSuccess
			}
			r.wg.Wait()
		}()
		ends := []string{endSuccess, endFailure, endFailure, endPermanent, endRejected, endCanceled, endPanic, endGoexit}
		m := r.model
		t.Repeat(map[string]func(*rapid.T){
			"start":  func(*rapid.T) { r.start(ctx) },
			"start2": func(*rapid.T) { r.start(ctx) },
			"finish": func(t *rapid.T) {
				if len(r.calls) == 0 {
					t.Skip("no call in flight")
				}
				r.finish(rapid.IntRange(0, len(r.calls)-1).Draw(t, "call"), rapid.SampledFrom(ends).Draw(t, "end"))
			},
			"fail": func(*rapid.T) {
				if r.start(ctx); len(r.calls) > 0 {
					r.finish(len(r.calls)-1, endFailure)
				}
			},
			"advance": func(t *rapid.T) {
				wait(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond)
			},
			"recover": func(t *rapid.T) { wait(time.Until(m.probeAt)) },
			"reset": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
					t.Skip("seldom")
				}
				r.breaker.Reset()
				m.enter(resilience.StateClosed)
				m.isolated, m.successes, m.failures, m.failedAt = false, 0, 0, time.Time{}
			},
			"isolate": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
					t.Skip("seldom")
				}
				r.breaker.Isolate()
				if !m.isolated {
					m.isolated, m.isolatedAt = true, time.Now()
				}
			},
			"release": func(*rapid.T) {
				r.breaker.Release()
				if m.isolated {
					m.isolated = false
					m.enter(resilience.StateClosed)
					m.startRamp(0)
				}
			},
			"follow": func(t *rapid.T) {
				open := rapid.Bool().Draw(t, "majority")
				r.breaker.Follow(resilience.Decision{Open: open})
				if open && !m.majority && !m.isolated && m.phase == resilience.StateClosed {
					m.enter(resilience.StateOpen)
					m.voted = true
				}
				m.majority = open
			},
			"": func(*rapid.T) { r.check() },
		})
	})
}
