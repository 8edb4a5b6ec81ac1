package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"genesis/pkg/resilience"
)

func TestClasses(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	tests := []struct {
		name string
		err  error
		want []string // the classes it is in, besides any
	}{
		{"an unknown error", errBoom, nil},
		{"a refused connection", refused, []string{"connection"}},
		{"a reset connection, wrapped", fmt.Errorf("ask: %w", syscall.ECONNRESET), []string{"connection"}},
		{"an answer cut off", io.ErrUnexpectedEOF, []string{"connection"}},
		{"no such host", &net.DNSError{IsNotFound: true}, []string{"connection"}},
		{"a lookup that took too long", &net.DNSError{IsTimeout: true}, []string{"timeout", "connection"}},
		{"our timeout", &resilience.TimeoutError{Limit: 1}, []string{"timeout"}},
		{"our deadline", &resilience.DeadlineError{Limit: 1}, []string{"timeout"}},
		{"a context's deadline", context.DeadlineExceeded, []string{"timeout"}},
		{"a connection's deadline", os.ErrDeadlineExceeded, []string{"timeout"}},
		{"a canceled context", context.Canceled, []string{"canceled"}},
		{"a rejection", resilience.Reject("busy", 0), []string{"rejected"}},
		{"a rejection that says when", resilience.Reject("busy", 1), []string{"rejected", "retry_after"}},
		{"a permanent verdict", resilience.Permanent(errBoom), []string{"permanent"}},
		{"a verdict to come back", resilience.RetryAfter(errBoom, 1), []string{"retry_after"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range resilience.ClassNames() {
				class, err := resilience.ParseClass(name)
				if err != nil {
					t.Fatalf("parse %q: %v", name, err)
				}
				want := name == "any" || slices.Contains(tt.want, name)
				if got := class(tt.err); got != want {
					t.Errorf("%s: got %v, want %v, input %v", name, got, want, tt.err)
				}
				if class(nil) {
					t.Errorf("%s: got true for no error", name)
				}
			}
		})
	}
}

func TestErrorsOfType(t *testing.T) {
	class := resilience.ErrorsOfType[*net.OpError]()
	if !class(fmt.Errorf("ask: %w", &net.OpError{Err: errBoom})) || class(errBoom) {
		t.Errorf("got the wrong class")
	}
}

func TestParseClassesNamesAllUnknownOnes(t *testing.T) {
	classes, err := resilience.ParseClasses("timeout", "tiemout", "any", "HTTPError")
	if classes != nil || !strings.Contains(message(err), `"tiemout"`) || !strings.Contains(message(err), `"HTTPError"; known are any, timeout`) {
		t.Errorf("got %v, %v, want both unknown ones named, and the known ones", classes, err)
	}
	if classes, err := resilience.ParseClasses("timeout", "any"); len(classes) != 2 || err != nil {
		t.Errorf("got %v, %v, want two classes", classes, err)
	}
}

func duration(ns int64) time.Duration { return time.Duration(ns) }

func FuzzParseClass(f *testing.F) {
	for _, name := range append(resilience.ClassNames(), "", "TIMEOUT", "time out") {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		class, err := resilience.ParseClass(name)
		if (err == nil) != slices.Contains(resilience.ClassNames(), name) || (class == nil) != (err != nil) {
			t.Errorf("got %v, input %q", err, name)
		}
		if err == nil && class(nil) {
			t.Errorf("no error is in %q", name)
		}
	})
}

// FuzzOptions: whatever numbers a configuration holds, a constructor refuses
// them or makes a policy that works.
func FuzzOptions(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0), 0, 0, 0.0, 0.0)
	f.Add(int64(1), int64(2), int64(3), 4, 5, 0.5, 2.0)
	f.Add(int64(-1), int64(1<<62), int64(1), -1, 1<<40, 1e300, -1.0)
	f.Fuzz(func(t *testing.T, a, b, c int64, n, m int, x, y float64) {
		policies := map[string]resilience.Policy{}
		if p, err := resilience.NewBreaker(resilience.BreakerOptions{
			FailureThreshold: n, FailureRate: x, SlowCall: duration(a), SlowRate: y, Window: duration(b), MinCalls: m,
			RecoveryTimeout: duration(c), Probes: m, Ramp: n,
		}); err == nil {
			policies["breaker"] = p
		}
		budget, err := resilience.NewBudget(resilience.BudgetOptions{Ratio: x, MinPerSecond: n})
		if err != nil {
			budget = nil
		}
		if p, err := resilience.NewRetry(resilience.RetryOptions{
			MaxAttempts: n, InitialDelay: duration(a), MaxDelay: duration(b), BackoffFactor: y, Budget: budget,
		}); err == nil {
			policies["retry"] = p
		}
		for name, p := range policies {
			if err := p.Do(t.Context(), done); err != nil {
				t.Errorf("%s: got %v, want the first call let through", name, err)
			}
			err := p.Do(t.Context(), func(context.Context) error { return resilience.Permanent(errBoom) })
			if !errors.Is(err, errBoom) && !errors.Is(err, resilience.ErrRejected) { // one slow call may have been enough
				t.Errorf("%s: got %v, want the function's own error or a rejection", name, err)
			}
		}
	})
}
