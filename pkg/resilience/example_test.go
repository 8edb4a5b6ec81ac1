package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"genesis/pkg/resilience"
)

func ExampleChain() {
	chain := resilience.Chain{ // outermost first
		resilience.Timeout{Limit: time.Hour},
		resilience.Timeout{Limit: 10 * time.Millisecond},
	}
	_, err := resilience.Get(context.Background(), chain, func(ctx context.Context) (string, error) {
		<-ctx.Done() // a dependency that does not answer
		return "", ctx.Err()
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, resilience.ErrTimeout))
	// Output:
	// timeout after 10ms
	// true
}

func ExamplePermanent() {
	err := fmt.Errorf("price order 7: %w", resilience.Permanent(errors.New("no such product")))
	fmt.Println(err)
	fmt.Println("try again:", !resilience.IsPermanent(err))
	// Output:
	// price order 7: no such product
	// try again: false
}

func ExampleRetryAfter() {
	err := resilience.RetryAfter(errors.New("quota used up"), 30*time.Second)
	delay, asked := resilience.RetryDelay(err)
	fmt.Println(err, delay, asked)
	// Output: quota used up 30s true
}

func ExampleReject() {
	err := resilience.Reject("breaker open", time.Minute)
	fmt.Println(err)
	fmt.Println("tried:", !errors.Is(err, resilience.ErrRejected))
	// Output:
	// rejected: breaker open (come back in 1m0s)
	// tried: false
}

func ExampleBackoff() {
	backoff := resilience.Backoff{InitialDelay: time.Second, MaxDelay: 10 * time.Second, Factor: 2}
	for attempt := range 6 {
		fmt.Print(backoff.Delay(attempt+1), " ")
	}
	// Output: 1s 2s 4s 8s 10s 10s
}
