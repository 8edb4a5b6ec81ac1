package resilience_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"genesis/pkg/resilience"
)

func ExampleBreaker() {
	breaker, err := resilience.NewBreaker(resilience.BreakerOptions{Name: "llm_service"}) // the guide's: 5 failures, 60 s
	if err != nil {
		fmt.Println(err)
		return
	}
	down := func(context.Context) error { return errors.New("connection refused") }
	for range 5 {
		_ = breaker.Do(context.Background(), down)
	}
	err = breaker.Do(context.Background(), down)
	fmt.Println("tried:", !errors.Is(err, resilience.ErrRejected))
	fmt.Println(breaker.State(), breaker.Stats().FailureCount)
	// Output:
	// tried: false
	// open 5
}

func ExampleBreaker_Stats() {
	breaker, _ := resilience.NewBreaker(resilience.BreakerOptions{Name: "llm_service"})
	for range 4 {
		_ = breaker.Do(context.Background(), func(context.Context) error { return nil })
	}
	stats, _ := json.MarshalIndent(breaker.Stats(), "", "  ")
	fmt.Println(string(stats))
	// Output:
	// {
	//   "name": "llm_service",
	//   "state": "closed",
	//   "failure_count": 0,
	//   "success_count": 4,
	//   "total_calls": 4,
	//   "success_rate": 1,
	//   "last_failure_time": null,
	//   "opened_at": null,
	//   "next_probe_at": null
	// }
}

// The guide's emergency procedure: what an operator does by hand.
func ExampleBreaker_Reset() {
	breaker, _ := resilience.NewBreaker(resilience.BreakerOptions{Name: "database"})
	breaker.Isolate() // nobody shall call it
	fmt.Println(breaker.State())
	breaker.Reset()
	canary := func(context.Context) error { return nil }
	fmt.Println(breaker.State(), breaker.Do(context.Background(), canary))
	// Output:
	// open
	// closed <nil>
}

func ExampleBreakers() {
	var breakers resilience.Breakers
	for _, name := range []string{"vertex_ai", "database"} {
		breaker, _ := resilience.NewBreaker(resilience.BreakerOptions{Name: name})
		_ = breakers.Add(breaker)
	}
	for _, stats := range breakers.Stats() {
		fmt.Println(stats.Name, stats.State)
	}
	// Output:
	// database closed
	// vertex_ai closed
}

func ExampleBallot() {
	ballot, _ := resilience.NewBallot(resilience.BallotOptions{})
	for replica, open := range map[string]bool{"worker-1": true, "worker-2": true, "worker-3": false} {
		ballot.Cast(resilience.Vote{Breaker: "llm_service", Replica: replica, Open: open, Calls: 40})
	}
	decision := ballot.Decide("llm_service")
	fmt.Println(decision.Open, decision.For, decision.Against)
	// Output: true [worker-1 worker-2] [worker-3]
}

func ExampleRetry() {
	retry, err := resilience.NewRetry(resilience.RetryOptions{
		MaxAttempts: 3, InitialDelay: time.Millisecond,
		DontRetryOn: []resilience.Class{resilience.ErrorsLike(errors.ErrUnsupported)},
		OnRetry:     func(err error, attempt int) { fmt.Printf("attempt %d: %v\n", attempt, err) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	calls := 0
	answer, err := resilience.Get(context.Background(), retry, func(context.Context) (string, error) {
		if calls++; calls < 3 {
			return "", io.ErrUnexpectedEOF
		}
		return "42", nil
	})
	fmt.Println(answer, err)
	// Output:
	// attempt 1: unexpected EOF
	// attempt 2: unexpected EOF
	// 42 <nil>
}

func ExampleNewRetry_mistakes() {
	_, err := resilience.NewRetry(resilience.RetryOptions{MaxAttempts: -1, InitialDelay: time.Minute, MaxDelay: time.Second})
	fmt.Println(err)
	// Output:
	// retry: MaxAttempts -1 is negative
	// retry: MaxDelay 1s is below InitialDelay 1m0s
}

func ExampleBudget() {
	budget, _ := resilience.NewBudget(resilience.BudgetOptions{Name: "llm_service"}) // 20 % of calls, at least 3 a second
	retry, _ := resilience.NewRetry(resilience.RetryOptions{MaxAttempts: 5, InitialDelay: time.Microsecond, Budget: budget})
	tried := 0
	for range 1000 { // everything fails
		_ = retry.Do(context.Background(), func(context.Context) error {
			tried++
			return io.ErrUnexpectedEOF
		})
	}
	fmt.Println(tried)
	// Output: 1200
}

func ExampleDeadline() {
	retry, _ := resilience.NewRetry(resilience.RetryOptions{MaxAttempts: 100, InitialDelay: time.Millisecond})
	chain := resilience.Chain{
		resilience.Deadline{Limit: 50 * time.Millisecond}, // all attempts together
		retry,
		resilience.Timeout{Limit: 20 * time.Millisecond}, // each one
	}
	err := chain.Do(context.Background(), func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	fmt.Println(errors.Is(err, resilience.ErrTimeout) || errors.Is(err, resilience.ErrDeadline))
	// Output: true
}

func ExampleGather() {
	answers := resilience.Gather(context.Background(),
		resilience.Call[string]{Name: "llm", Timeout: 10 * time.Millisecond, Do: func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}},
		resilience.Call[string]{Name: "database", Timeout: time.Minute, Do: func(context.Context) (string, error) {
			return "7 rows", nil
		}},
	)
	for _, a := range answers { // go on with what there is
		fmt.Println(a.Name, a.Value, a.Err)
	}
	// Output:
	// llm  timeout after 10ms
	// database 7 rows <nil>
}

func ExampleParseClasses() {
	_, err := resilience.ParseClasses("timeout", "http")
	fmt.Println(err)
	// Output: unknown error class "http"; known are any, timeout, connection, rejected, permanent, retry_after, canceled
}

// The order of the design: what bounds everything is outermost, what is asked
// for each attempt is further in.
func ExampleChain_combined() {
	budget, _ := resilience.NewBudget(resilience.BudgetOptions{Name: "llm_service"})
	options := resilience.APICalls()
	options.Budget, options.InitialDelay = budget, time.Millisecond
	retry, _ := resilience.NewRetry(options)
	breaker, _ := resilience.NewBreaker(resilience.BreakerOptions{Name: "llm_service"})
	chain := resilience.Chain{
		resilience.Deadline{Limit: time.Minute},
		retry,
		breaker,
		resilience.Timeout{Limit: 30 * time.Second},
	}
	attempts := 0
	answer, err := resilience.Get(context.Background(), chain, func(context.Context) (string, error) {
		if attempts++; attempts <= 2 { // two transient failures
			return "", io.ErrUnexpectedEOF
		}
		return "hello", nil
	})
	fmt.Println(answer, err, "retries:", attempts-1)
	// Output: hello <nil> retries: 2
}
