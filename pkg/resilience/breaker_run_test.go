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
	room, after := r.breaker.Room()
	if want := m.room(); room != want || (after > 0) != (want == 0) {
		r.t.Fatalf("room: got %d calls or after %v, want %d", room, after, want)
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
