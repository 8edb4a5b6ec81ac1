package agents_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

var errShut = errors.New("shut")

func TestLadderErrorSpeaksForAllRungs(t *testing.T) {
	var (
		final    = resilience.Permanent(errBoom)
		later    = resilience.RetryAfter(errBoom, time.Minute)
		sooner   = resilience.RetryAfter(errBoom, time.Second)
		shut     = &resilience.RejectedError{Cause: "breaker open", After: 30 * time.Second, Err: errShut}
		full     = resilience.Reject("no slot", 0)
		bareShut = fmt.Errorf("%w: %w", errShut, resilience.ErrRejected)
	)
	tests := []struct {
		name      string
		errs      []error
		permanent bool
		rejected  bool
		delay     time.Duration
		asks      bool
	}{
		{name: "one retryable rung", errs: []error{errBoom}},
		{name: "one permanent rung", errs: []error{final}, permanent: true},
		{name: "all permanent", errs: []error{final, fmt.Errorf("ask: %w", final)}, permanent: true},
		{name: "permanent, then retryable", errs: []error{final, errBoom}},
		{name: "retryable, then permanent", errs: []error{errBoom, final}},
		{name: "one rejected rung", errs: []error{shut}, rejected: true, delay: 30 * time.Second, asks: true},
		{name: "all rejected", errs: []error{shut, full}, rejected: true, delay: 30 * time.Second, asks: true},
		{name: "all rejected, without a type", errs: []error{bareShut, full}, rejected: true},
		{name: "rejected, then tried", errs: []error{shut, errBoom}},
		{name: "tried, then rejected", errs: []error{errBoom, shut}},
		{name: "tried, then rejected without a type", errs: []error{errBoom, bareShut}},
		{name: "permanent, then rejected", errs: []error{final, shut}},
		{name: "one delay of two", errs: []error{later, errBoom}, delay: time.Minute, asks: true},
		{name: "the shortest delay", errs: []error{later, sooner, later}, delay: time.Second, asks: true},
		{name: "no delay of a rejection beside a rung that tried", errs: []error{shut, later}, delay: time.Minute, asks: true},
		{name: "no delay of a permanent rung", errs: []error{resilience.Permanent(sooner), later}, delay: time.Minute, asks: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var rungs []agents.Rung
			for i, err := range tt.errs {
				rungs = append(rungs, agents.Rung{Name: fmt.Sprint(i), Agent: failing(err)})
			}
			ladder := ladderOf(t, rungs...)
			// A ladder that is a rung of another must say the same.
			for depth, agent := range []agents.Agent{ladder, ladderOf(t, agents.Rung{Name: "outer", Agent: ladder})} {
				_, err := agent.Handle(t.Context(), agents.Task{})
				if got := resilience.IsPermanent(err); got != tt.permanent {
					t.Errorf("depth %d, permanent: got %v, want %v, input %v", depth, got, tt.permanent, err)
				}
				var data *resilience.RejectedError
				if got := errors.As(err, &data); got && !tt.rejected {
					t.Errorf("depth %d, rejected error: got %v, want none, input %v", depth, data, err)
				}
				if got := errors.Is(err, resilience.ErrRejected); got != tt.rejected {
					t.Errorf("depth %d, rejected: got %v, want %v, input %v", depth, got, tt.rejected, err)
				}
				if delay, asks := resilience.RetryDelay(err); delay != tt.delay || asks != tt.asks {
					t.Errorf("depth %d, delay: got %v %v, want %v %v, input %v", depth, delay, asks, tt.delay, tt.asks, err)
				}
			}
		})
	}
}

// coded is an error type of an agent's own.
type coded struct{ code int }

func (c *coded) Error() string { return fmt.Sprintf("code %d", c.code) }

func TestLadderErrorHoldsEachRungs(t *testing.T) {
	rejected := &resilience.RejectedError{Cause: "breaker open", Err: errors.Join(errShut, &coded{7})}
	ladder := ladderOf(t,
		agents.Rung{Name: "primary", Agent: failing(rejected)},
		agents.Rung{Name: "fallback", Agent: failing(resilience.Permanent(errBoom))},
		agents.Rung{Name: "last", Agent: failing(context.DeadlineExceeded)},
	)
	_, err := ladder.Handle(t.Context(), agents.Task{})
	for _, want := range []error{errShut, errBoom, context.DeadlineExceeded} {
		if !errors.Is(err, want) {
			t.Errorf("errors.Is: got false for %v, want true, input %v", want, err)
		}
	}
	var own *coded
	if !errors.As(err, &own) || own.code != 7 {
		t.Errorf("errors.As: got %v, want code 7, input %v", own, err)
	}
}

func TestLadderErrorIsOneLine(t *testing.T) {
	ladder := ladderOf(t,
		agents.Rung{Name: "primary", Agent: failing(errBoom)},
		agents.Rung{Name: "fallback", Agent: failing(resilience.Reject("no slot", 0))},
	)
	_, err := ladder.Handle(t.Context(), agents.Task{})
	if got, want := fmt.Sprint(err), "rung primary: boom; rung fallback: rejected: no slot"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
