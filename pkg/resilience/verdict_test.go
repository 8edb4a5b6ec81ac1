package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"genesis/pkg/resilience"
)

var errBoom = errors.New("boom")

// several is an error that gathers others and speaks for them.
type several struct {
	errs  []error
	final bool
}

func (s several) Error() string   { return "several" }
func (s several) Unwrap() []error { return s.errs }
func (s several) Permanent() bool { return s.final }

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name      string
		err       error
		permanent bool
		rejected  bool
		delay     time.Duration
		asks      bool
	}{
		{name: "no error has no verdict", err: nil},
		{name: "an unknown error is retryable", err: errBoom},
		{name: "a done context is retryable", err: context.DeadlineExceeded},
		{name: "permanent is final", err: resilience.Permanent(errBoom), permanent: true},
		{name: "permanent survives wrapping", err: fmt.Errorf("ask: %w", resilience.Permanent(errBoom)), permanent: true},
		{name: "permanent survives joining", err: errors.Join(resilience.Permanent(errBoom), errors.New("close")), permanent: true},
		{name: "an error that speaks for several decides for them", err: several{errs: []error{resilience.Permanent(errBoom)}}},
		{name: "an error that speaks for several may be final", err: several{errs: []error{errBoom}, final: true}, permanent: true},
		{name: "retry after asks for its delay", err: resilience.RetryAfter(errBoom, time.Minute), delay: time.Minute, asks: true},
		{name: "retry after survives wrapping", err: fmt.Errorf("ask: %w", resilience.RetryAfter(errBoom, time.Minute)), delay: time.Minute, asks: true},
		{name: "retry after a negative delay asks for none", err: resilience.RetryAfter(errBoom, -time.Minute), asks: true},
		{name: "the outermost delay counts", err: resilience.RetryAfter(resilience.RetryAfter(errBoom, time.Minute), time.Second), delay: time.Second, asks: true},
		{name: "retry after takes permanent back", err: resilience.RetryAfter(resilience.Permanent(errBoom), time.Second), delay: time.Second, asks: true},
		{name: "a rejection is rejected and asks to come back", err: resilience.Reject("breaker open", time.Minute), rejected: true, delay: time.Minute, asks: true},
		{name: "a rejection that knows no time asks for none", err: resilience.Reject("no slot", 0), rejected: true},
		{name: "a rejection of negative time asks for none", err: resilience.Reject("no slot", -1), rejected: true},
		{name: "a rejection survives wrapping", err: fmt.Errorf("rung: %w", resilience.Reject("no slot", 0)), rejected: true},
		{name: "a rejection of final work is not final", err: &resilience.RejectedError{Cause: "breaker open", Err: resilience.Permanent(errBoom)}, rejected: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := resilience.IsPermanent(tt.err); got != tt.permanent {
				t.Errorf("IsPermanent: got %v, want %v, input %v", got, tt.permanent, tt.err)
			}
			if got := errors.Is(tt.err, resilience.ErrRejected); got != tt.rejected {
				t.Errorf("errors.Is ErrRejected: got %v, want %v, input %v", got, tt.rejected, tt.err)
			}
			if delay, asks := resilience.RetryDelay(tt.err); delay != tt.delay || asks != tt.asks {
				t.Errorf("RetryDelay: got %v %v, want %v %v, input %v", delay, asks, tt.delay, tt.asks, tt.err)
			}
		})
	}
}

func TestVerdictKeepsTheError(t *testing.T) {
	for name, err := range map[string]error{
		"permanent":   resilience.Permanent(errBoom),
		"retry after": resilience.RetryAfter(errBoom, time.Second),
	} {
		if !errors.Is(err, errBoom) {
			t.Errorf("%s: got %v, want it to match its cause", name, err)
		}
		if err.Error() != errBoom.Error() {
			t.Errorf("%s: got message %q, want %q", name, err, errBoom)
		}
	}
}

func TestVerdictOfNilIsNil(t *testing.T) {
	if err := resilience.Permanent(nil); err != nil {
		t.Errorf("Permanent(nil): got %v, want nil", err)
	}
	if err := resilience.RetryAfter(nil, time.Second); err != nil {
		t.Errorf("RetryAfter(nil): got %v, want nil", err)
	}
}

func TestRejectedErrorMessage(t *testing.T) {
	tests := []struct {
		name string
		err  resilience.RejectedError
		want string
	}{
		{"the zero value", resilience.RejectedError{}, "rejected"},
		{"the cause", resilience.RejectedError{Cause: "no slot"}, "rejected: no slot"},
		{"when to come back", resilience.RejectedError{Cause: "rate limit", After: 2 * time.Second}, "rejected: rate limit (come back in 2s)"},
		{"the failure behind", resilience.RejectedError{Cause: "breaker open", After: time.Minute, Err: errBoom}, "rejected: breaker open (come back in 1m0s): boom"},
	}
	for _, tt := range tests {
		t.Run("names "+tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRejectedErrorCarriesItsData(t *testing.T) {
	err := fmt.Errorf("rung primary: %w", &resilience.RejectedError{Cause: "breaker open", After: time.Minute, Err: errBoom})
	var rejected *resilience.RejectedError
	if !errors.As(err, &rejected) || rejected.Cause != "breaker open" || rejected.After != time.Minute {
		t.Errorf("errors.As: got %+v, want the cause and the time, input %v", rejected, err)
	}
	if !errors.Is(err, errBoom) {
		t.Errorf("errors.Is: got false, want true for the failure behind, input %v", err)
	}
}
