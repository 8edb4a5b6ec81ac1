package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// named is a policy that writes down when it is entered and left.
type named struct {
	name string
	log  *[]string
}

func (n named) Do(ctx context.Context, next resilience.Func) error {
	*n.log = append(*n.log, n.name+"(")
	defer func() { *n.log = append(*n.log, ")"+n.name) }()
	return next(ctx)
}

// times is a policy that calls its function so many times.
type times int

func (n times) Do(ctx context.Context, next resilience.Func) error {
	var err error
	for range int(n) {
		err = next(ctx)
	}
	return err
}

type ctxKey struct{}

// marking is a policy that hands on a context of its own.
type marking struct{ value string }

func (m marking) Do(ctx context.Context, next resilience.Func) error {
	return next(context.WithValue(ctx, ctxKey{}, m.value))
}

func TestChainRunsOutermostFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 8).Draw(t, "policies")
		var log []string
		var chain resilience.Chain
		var want []string
		for i := range n {
			chain = append(chain, named{fmt.Sprint(i), &log})
			want = append(want, fmt.Sprintf("%d(", i))
		}
		want = append(want, "work")
		for i := range n {
			want = append(want, fmt.Sprintf(")%d", n-1-i))
		}
		err := chain.Do(t.Context(), func(context.Context) error {
			log = append(log, "work")
			return errBoom
		})
		if !slices.Equal(log, want) {
			t.Fatalf("order: got %v, want %v", log, want)
		}
		if !errors.Is(err, errBoom) {
			t.Fatalf("error: got %v, want the function's own %v", err, errBoom)
		}
	})
}

func TestChainMayCallNextAgain(t *testing.T) {
	var log []string
	chain := resilience.Chain{times(2), named{"a", &log}, times(2), named{"b", &log}}
	calls := 0
	if err := chain.Do(t.Context(), func(context.Context) error { calls++; return nil }); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(log, "")
	if want := strings.Repeat("a(b()bb()b)a", 2); got != want || calls != 4 {
		t.Errorf("got %s and %d calls, want %s and 4", got, calls, want)
	}
}

func TestChainHandsTheContextInward(t *testing.T) {
	chain := resilience.Chain{marking{"outer"}, resilience.Chain{marking{"inner"}}}
	got, err := resilience.Get(t.Context(), chain, func(ctx context.Context) (any, error) {
		return ctx.Value(ctxKey{}), nil
	})
	if got != "inner" || err != nil {
		t.Errorf("got %v, %v, want the innermost policy's context", got, err)
	}
}

func TestNilIsAnErrorNotAPanic(t *testing.T) {
	work := func(context.Context) error { return nil }
	value := func(context.Context) (int, error) { return 1, nil }
	get := func(p resilience.Policy, fn func(context.Context) (int, error)) error {
		_, err := resilience.Get(t.Context(), p, fn)
		return err
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"a nil function in a chain", resilience.Chain{}.Do(t.Context(), nil), "the function to run is nil"},
		{"a nil function under a timeout", resilience.Timeout{}.Do(t.Context(), nil), "the function to run is nil"},
		{"a nil policy in a chain", resilience.Chain{times(1), nil}.Do(t.Context(), work), "policy 2 of 2 in the chain is nil"},
		{"a nil policy of Get", get(nil, value), "the policy is nil"},
		{"a nil function of Get", get(resilience.Chain{}, nil), "the function to run is nil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
				t.Fatalf("got %v, want it to say %q", tt.err, tt.want)
			}
			if !resilience.IsPermanent(tt.err) {
				t.Errorf("got a retryable %v, want it permanent", tt.err)
			}
		})
	}
}

func TestNilPolicyRunsNothing(t *testing.T) {
	var log []string
	err := resilience.Chain{named{"a", &log}, nil}.Do(t.Context(), func(context.Context) error { return nil })
	if err == nil || len(log) != 0 {
		t.Errorf("got %v after %v, want an error before anything ran", err, log)
	}
}

func TestGet(t *testing.T) {
	tests := []struct {
		name   string
		policy resilience.Policy
		value  string
		err    error
		want   string
	}{
		{"returns the value", resilience.Chain{times(1)}, "answer", nil, "answer"},
		{"runs under a nil chain", resilience.Chain(nil), "answer", nil, "answer"},
		{"keeps no value beside an error", resilience.Chain{}, "half an answer", errBoom, ""},
		{"returns zero when the policy never called", times(0), "answer", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := resilience.Get(t.Context(), tt.policy, func(context.Context) (string, error) { return tt.value, tt.err })
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestGetReturnsTheLastCall(t *testing.T) {
	calls := 0
	got, err := resilience.Get(t.Context(), times(3), func(context.Context) (int, error) {
		calls++
		if calls < 3 {
			return -calls, errBoom
		}
		return calls, nil
	})
	if got != 3 || err != nil {
		t.Errorf("got %d, %v, want the third call's 3, nil", got, err)
	}
}

// recovering is a policy that makes an error of a panic, once, and then calls
// its function again.
type recovering struct{}

func (recovering) Do(ctx context.Context, next resilience.Func) error {
	func() {
		defer func() { _ = recover() }()
		_ = next(ctx)
	}()
	return next(ctx)
}

func TestChainFindsItsWayAfterAPanic(t *testing.T) {
	var log []string
	chain := resilience.Chain{named{"a", &log}, recovering{}, named{"b", &log}, named{"c", &log}}
	calls := 0
	err := chain.Do(t.Context(), func(context.Context) error {
		if calls++; calls == 1 {
			panic("once")
		}
		log = append(log, "work")
		return nil
	})
	want := "a( b( c( )c )b b( c( work )c )b )a"
	if got := strings.Join(log, " "); got != want || err != nil {
		t.Errorf("got %q, %v, want %q, nil", got, err, want)
	}
}

func TestPoliciesRefuseNothingToWorkWith(t *testing.T) {
	for name, p := range map[string]resilience.Policy{
		"chain":    resilience.Chain{},
		"timeout":  resilience.Timeout{Limit: 1},
		"deadline": resilience.Deadline{Limit: 1},
		"retry":    newRetry(t, resilience.RetryOptions{}),
		"breaker":  newBreaker(t, resilience.BreakerOptions{}),
	} {
		var none context.Context
		for _, err := range []error{p.Do(none, done), p.Do(t.Context(), nil)} {
			if !resilience.IsPermanent(err) {
				t.Errorf("%s: got %v, want a permanent error", name, err)
			}
		}
	}
}
