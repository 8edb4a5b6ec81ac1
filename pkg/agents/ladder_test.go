package agents_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// failing is an agent that always fails so.
func failing(err error) agents.Agent {
	return agents.Func(func(context.Context, agents.Task) (agents.Result, error) { return agents.Text("lost"), err })
}

// ladderOf makes a ladder of rungs.
func ladderOf(t testing.TB, rungs ...agents.Rung) *agents.Ladder {
	t.Helper()
	l, err := agents.NewLadder(agents.LadderOptions{Name: "test", Rungs: rungs})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// answering is an agent that always answers so.
func answering(result agents.Result) agents.Agent {
	return agents.Func(func(context.Context, agents.Task) (agents.Result, error) { return result, nil })
}

func TestLadderAnswersFromTheFirstRungThatCan(t *testing.T) {
	good := agents.Static("ok")
	tests := []struct {
		name  string
		rungs []agents.Rung
		want  agents.Result
	}{
		{
			"the primary rung",
			[]agents.Rung{{Name: "primary", Provider: "vertex", Agent: good}, {Name: "static", Agent: failing(errBoom)}},
			agents.Result{Rung: "primary", Provider: "vertex"},
		},
		{
			"below a rung that failed, degraded",
			[]agents.Rung{{Name: "primary", Agent: failing(errBoom)}, {Name: "fallback", Provider: "echo", Agent: good}},
			agents.Result{Rung: "fallback", Provider: "echo", Degraded: true},
		},
		{
			"below a permanent failure and a rejection",
			[]agents.Rung{
				{Name: "primary", Agent: failing(resilience.Permanent(errBoom))},
				{Name: "fallback", Agent: failing(resilience.Reject("breaker open", 0))},
				{Name: "static", Agent: good},
			},
			agents.Result{Rung: "static", Degraded: true},
		},
		{
			"a first rung of another name is degraded",
			[]agents.Rung{{Name: "static", Agent: good}},
			agents.Result{Rung: "static", Degraded: true},
		},
		{
			"of two primary rungs the second is degraded",
			[]agents.Rung{{Name: "primary", Agent: failing(errBoom)}, {Name: "primary", Agent: good}},
			agents.Result{Rung: "primary", Degraded: true},
		},
		{
			"a primary rung further down is primary",
			[]agents.Rung{{Name: "canary", Agent: failing(errBoom)}, {Name: "primary", Agent: good}},
			agents.Result{Rung: "primary"},
		},
		{
			"a rung's own provider stands when the ladder names none",
			[]agents.Rung{{Name: "primary", Agent: answering(agents.Result{Provider: "own", Output: agents.Text("ok").Output})}},
			agents.Result{Rung: "primary", Provider: "own"},
		},
		{
			"what a rung says of itself is kept",
			[]agents.Rung{{Name: "primary", Agent: answering(agents.Result{
				Output: agents.Text("ok").Output, Rung: "inner", Degraded: true, RetryCount: 2, Usage: agents.Usage{InputTokens: 1},
			})}},
			agents.Result{Rung: "primary", Degraded: true, RetryCount: 2, Usage: agents.Usage{InputTokens: 1}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ladderOf(t, tt.rungs...).Handle(t.Context(), agents.Task{})
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Output) != `{"text":"ok"}` {
				t.Errorf("output: got %s", got.Output)
			}
			tt.want.Output, got.Output = nil, nil
			if got.Rung != tt.want.Rung || got.Provider != tt.want.Provider || got.Degraded != tt.want.Degraded ||
				got.RetryCount != tt.want.RetryCount || got.Usage != tt.want.Usage {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestLadderHandsTheTaskToEachRung(t *testing.T) {
	want := agents.Task{ID: "7", Agent: "a", Method: "execute", Prompt: "hi", Attempt: 2, TraceID: "t"}
	seen := 0
	see := agents.Func(func(_ context.Context, got agents.Task) (agents.Result, error) {
		seen++
		if !reflect.DeepEqual(got, want) {
			t.Errorf("rung %d: got %+v, want %+v", seen, got, want)
		}
		return agents.Result{}, errBoom
	})
	_, err := ladderOf(t, agents.Rung{Name: "primary", Agent: see}, agents.Rung{Name: "fallback", Agent: see}).Handle(t.Context(), want)
	if err == nil || seen != 2 {
		t.Errorf("got %v after %d rungs, want an error after 2", err, seen)
	}
}

func TestLadderLeavesNoHalfResultBesideAnError(t *testing.T) {
	got, err := ladderOf(t, agents.Rung{Name: "primary", Agent: failing(errBoom)}).Handle(t.Context(), agents.Task{})
	if err == nil || !reflect.DeepEqual(got, agents.Result{}) {
		t.Errorf("got %+v, %v, want a zero result and an error", got, err)
	}
}

func TestLadderThatCannotWork(t *testing.T) {
	tests := []struct {
		name  string
		rungs []agents.Rung
		want  string
	}{
		{"no rungs", nil, "ladder: fallback: Rungs are missing; there must be at least one"},
		{
			"all that is wrong",
			[]agents.Rung{{Name: "primary", MinTime: -1}, {Name: "static"}},
			"ladder: rung primary: has no agent\nrung static: has no agent\nfallback: Rungs[0].MinTime is -1ns; it must not be negative",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := agents.NewLadder(agents.LadderOptions{Rungs: tt.rungs})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLadderStopsWhenItsContextIsDone(t *testing.T) {
	errDrain := errors.New("draining")
	ctx, cancel := context.WithCancelCause(t.Context())
	ladder := ladderOf(t,
		agents.Rung{Name: "primary", Agent: agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
			cancel(errDrain)
			return agents.Result{}, resilience.Permanent(errBoom)
		})},
		agents.Rung{Name: "static", Agent: agents.Static("never")},
	)
	_, err := ladder.Handle(ctx, agents.Task{})
	if !errors.Is(err, errDrain) || !errors.Is(err, errBoom) {
		t.Fatalf("got %v, want the rung's error and the reason of the stop", err)
	}
	if want := "rung primary: boom; rung static skipped: draining"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if resilience.IsPermanent(err) {
		t.Errorf("got a permanent %v, want it retryable: a rung was not tried", err)
	}
}

func TestLadderRunsNothingInADoneContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ladderOf(t, agents.Rung{Name: "static", Agent: agents.Static("never")}).Handle(ctx, agents.Task{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestLadderLetsAPanicThrough(t *testing.T) {
	defer func() {
		if got := recover(); got != "rung" {
			t.Errorf("got panic %v, want the rung's", got)
		}
	}()
	_, err := ladderOf(t,
		agents.Rung{Name: "primary", Agent: agents.Func(func(context.Context, agents.Task) (agents.Result, error) { panic("rung") })},
		agents.Rung{Name: "static", Agent: agents.Static("never")},
	).Handle(t.Context(), agents.Task{})
	t.Errorf("got %v, want a panic", err)
}

// The model: the first good rung answers, and all above it were asked, in order.
func TestLadderAsksInOrder(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		good := rapid.SliceOfN(rapid.Bool(), 1, 8).Draw(t, "good")
		var asked []string
		var rungs []agents.Rung
		want := ""
		for i, ok := range good {
			name := string(rune('a' + i))
			if !strings.Contains(want, "!") {
				want += name
				if ok {
					want += "!"
				}
			}
			rungs = append(rungs, agents.Rung{Name: name, Agent: agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
				asked = append(asked, name)
				if ok {
					return agents.Text(name), nil
				}
				return agents.Result{}, errBoom
			})})
		}
		result, err := ladderOf(outer, rungs...).Handle(t.Context(), agents.Task{})
		got := strings.Join(asked, "")
		if err == nil {
			got += "!"
		}
		if got != want || (err == nil && result.Rung != asked[len(asked)-1]) {
			t.Fatalf("got %q from %q, want %q", got, result.Rung, want)
		}
	})
}
