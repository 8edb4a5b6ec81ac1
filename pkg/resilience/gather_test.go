package resilience_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"
)

// The guide's cascade: a model and a database at once, each with its bound, all
// within the request's; one goes on with what there is.
func TestGatherReturnsResultsAndErrorsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call := func(name string, timeout, takes time.Duration, err error) resilience.Call[string] {
			return resilience.Call[string]{Name: name, Timeout: timeout, Do: func(ctx context.Context) (string, error) {
				select {
				case <-time.After(takes):
					return name + " answered", err
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}}
		}
		start := time.Now()
		got := resilience.Gather(t.Context(),
			call("llm", 30*time.Second, time.Hour, nil),
			call("database", 10*time.Second, 2*time.Second, nil),
			call("redis", 5*time.Second, time.Second, errBoom),
			resilience.Call[string]{Name: "nothing"},
		)
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("took: got %v, want the longest of them, 30s", took)
		}
		want := []struct {
			name, value, err string
			took             time.Duration
		}{
			{"llm", "", "timeout after 30s", 30 * time.Second},
			{"database", "database answered", "", 2 * time.Second},
			{"redis", "", "boom", time.Second},
			{"nothing", "", "resilience: the function to run is nil", 0},
		}
		for i, w := range want {
			if g := got[i]; g.Name != w.name || g.Value != w.value || message(g.Err) != w.err || g.Duration != w.took {
				t.Errorf("got %+v, want %+v", g, w)
			}
		}
		err := resilience.GatheredErr(got)
		if !errors.Is(err, errBoom) || !errors.Is(err, resilience.ErrTimeout) {
			t.Errorf("got %v, want every error in it", err)
		}
		if err := resilience.GatheredErr(got[1:2]); err != nil {
			t.Errorf("got %v, want nil without failures", err)
		}
	})
}

func TestGatherRunsEachCallUnderItsPolicy(t *testing.T) {
	calls := 0
	got := resilience.Gather(t.Context(), resilience.Call[int]{Policy: times(3), Do: func(context.Context) (int, error) {
		calls++
		return calls, nil
	}})
	if got[0].Value != 3 || got[0].Err != nil {
		t.Errorf("got %+v, want the third call's 3", got[0])
	}
}

func TestGatherEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		hanging := resilience.Call[int]{Do: func(ctx context.Context) (int, error) { return 0, hang(ctx) }}
		for _, g := range resilience.Gather(ctx, hanging, hanging) {
			if !errors.Is(g.Err, context.DeadlineExceeded) || errors.Is(g.Err, resilience.ErrTimeout) {
				t.Errorf("got %v, want the context's own end", g.Err)
			}
		}
	})
}

func TestGatherRaisesAPanicInItsCallerOnceAllReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		defer func() {
			if p := recover(); p != "boom" || time.Since(start) != time.Second {
				t.Errorf("got %v after %v, want the panic after the other call's 1s", p, time.Since(start))
			}
		}()
		resilience.Gather(t.Context(),
			resilience.Call[int]{Do: func(context.Context) (int, error) { panic("boom") }},
			resilience.Call[int]{Do: func(context.Context) (int, error) { wait(time.Second); return 0, nil }},
		)
	})
}

func TestGatherOfACallThatEndsItsGoroutine(t *testing.T) {
	got := resilience.Gather(t.Context(), resilience.Call[int]{Name: "gone", Do: func(context.Context) (int, error) {
		runtime.Goexit()
		return 1, nil
	}})
	if got[0].Name != "gone" || got[0].Value != 0 || !resilience.IsPermanent(got[0].Err) {
		t.Errorf("got %+v, want an error", got[0])
	}
}

func TestGatherOfNothing(t *testing.T) {
	if got := resilience.Gather[int](t.Context()); len(got) != 0 || resilience.GatheredErr(got) != nil {
		t.Errorf("got %v, want nothing", got)
	}
	var none context.Context
	if got := resilience.Gather(none, resilience.Call[int]{Do: func(context.Context) (int, error) { return 1, nil }}); !resilience.IsPermanent(got[0].Err) {
		t.Errorf("a nil context: got %v, want a permanent error", got[0].Err)
	}
}
