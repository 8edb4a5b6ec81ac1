package agents_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

// flaky fails the first calls and then answers.
func flaky(failures int) agents.Agent {
	calls := 0
	return agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
		if calls++; calls <= failures {
			return agents.Result{}, errBoom
		}
		return agents.Text("ok"), nil
	})
}

func retry(t *testing.T, attempts int, budget *resilience.Budget) resilience.Policy {
	t.Helper()
	p, err := resilience.NewRetry(resilience.RetryOptions{
		MaxAttempts: attempts, InitialDelay: time.Millisecond, Budget: budget, DontRetryOn: []resilience.Class{resilience.Rejected},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLadderCountsRetriesOnEachRung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ladder := ladderOf(t,
			agents.Rung{Name: "primary", Agent: failing(errBoom), Policy: retry(t, 3, nil)},
			agents.Rung{Name: "fallback", Agent: flaky(1), Policy: retry(t, 3, nil)},
		)
		got, err := ladder.Handle(t.Context(), agents.Task{})
		if err != nil || got.RetryCount != 3 || got.Rung != "fallback" {
			t.Errorf("got %+v, %v, want an answer of fallback after 2 and 1 retries", got, err)
		}
	})
}

func TestLadderRunsEachAttemptUnderItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaker, err := resilience.NewBreaker(resilience.BreakerOptions{FailureThreshold: 10})
		if err != nil {
			t.Fatal(err)
		}
		ladder := ladderOf(t, agents.Rung{Name: "primary", Agent: flaky(2), Policy: retry(t, 3, nil), Attempt: breaker})
		got, err := ladder.Handle(t.Context(), agents.Task{})
		if err != nil || got.RetryCount != 2 {
			t.Errorf("got %+v, %v, want an answer after 2 retries", got, err)
		}
		if s := breaker.Stats(); s.FailureCount != 2 || s.SuccessCount != 1 {
			t.Errorf("breaker: got %+v, want 2 failures and a success", s)
		}
	})
}

// A request that always fails must come to its end, also while it keeps the breaker open.
func TestLadderWhoseBreakerOpensMidwayHasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaker, err := resilience.NewBreaker(resilience.BreakerOptions{FailureThreshold: 2})
		if err != nil {
			t.Fatal(err)
		}
		ladder := ladderOf(t, agents.Rung{Name: "primary", Agent: failing(errBoom), Policy: retry(t, 3, nil), Attempt: breaker})
		_, err = ladder.Handle(t.Context(), agents.Task{})
		if !errors.Is(err, errBoom) || errors.Is(err, resilience.ErrRejected) || !strings.Contains(err.Error(), "not tried again: rejected: breaker open") {
			t.Errorf("tried twice, then rejected: got %v, want the failure, not a rejection", err)
		}
		_, err = ladder.Handle(t.Context(), agents.Task{})
		if after, asks := resilience.RetryDelay(err); !errors.Is(err, resilience.ErrRejected) || !asks || after < time.Minute {
			t.Errorf("not tried: got %v, come back in %v, want a rejection until the probe", err, after)
		}
	})
}

func TestLadderSkipsWhatCannotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
			t.Error("a rung was tried that should be skipped")
			return agents.Result{}, errBoom
		})
		ladder := ladderOf(t,
			agents.Rung{Name: "primary", Agent: never, When: func(context.Context) error { return resilience.Reject("breaker open", time.Minute) }},
			agents.Rung{Name: "fallback", Agent: never, MinTime: 2 * time.Second},
			agents.Rung{Name: "static", Agent: agents.Static("busy")},
		)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := ladder.Handle(ctx, agents.Task{})
		if err != nil || got.Rung != "static" || !got.Degraded || got.RetryCount != 0 {
			t.Errorf("got %+v, %v, want a degraded answer of static", got, err)
		}
	})
}

func TestLadderPaysForRedeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, err := resilience.NewBudget(resilience.BudgetOptions{MinPerSecond: 2})
		if err != nil {
			t.Fatal(err)
		}
		ladder := ladderOf(t, agents.Rung{Name: "primary", Agent: agents.Static("ok"), Policy: retry(t, 1, budget), Budget: budget})
		answered, put := 0, 0
		for range 5 {
			_, err := ladder.Handle(t.Context(), agents.Task{Redelivered: true})
			if delay, asks := resilience.RetryDelay(err); errors.Is(err, resilience.ErrRejected) && asks && delay >= 5*time.Second {
				put++
			} else if err == nil {
				answered++
			}
		}
		if answered != 2 || put != 3 {
			t.Errorf("5 redeliveries: got %d answered and %d rejected for a while, want 2 and 3", answered, put)
		}
		if _, err := ladder.Handle(t.Context(), agents.Task{}); err != nil {
			t.Errorf("a new task: got %v, want no budget asked", err)
		}
	})
}
