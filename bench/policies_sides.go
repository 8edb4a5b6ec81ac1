package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/fallback"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"

	"genesis/pkg/resilience"
)

// Settings of both sides. No limit is met unless the case is about it.
const (
	policyRate    = 400_000_000 // calls a second
	policySlots   = 64
	policyTimeout = 30 * time.Second
)

var (
	errDown        = errors.New("down")
	errUnexpected  = errors.New("the call was not rejected")
	errPeerUnready = errors.New("the peer's breaker is not open")
)

// peers are failsafe-go's policies of one dependency.
type peers struct {
	fallback failsafe.Policy[any]
	retry    failsafe.Policy[any]
	breaker  circuitbreaker.CircuitBreaker[any]
	rate     failsafe.Policy[any]
	bulkhead failsafe.Policy[any]
	timeout  failsafe.Policy[any]
}

func newPeers() peers {
	return peers{
		fallback: fallback.NewWithResult[any](nil),
		retry: retrypolicy.NewBuilder[any]().WithMaxAttempts(3).WithBackoff(time.Second, 30*time.Second).
			AbortOnErrors(circuitbreaker.ErrOpen).Build(),
		breaker:  circuitbreaker.NewBuilder[any]().WithFailureThreshold(5).WithDelay(time.Hour).Build(),
		rate:     ratelimiter.NewBursty[any](policyRate, time.Second),
		bulkhead: bulkhead.New[any](policySlots),
		timeout:  timeout.New[any](policyTimeout),
	}
}

func (p peers) all() failsafe.Executor[any] {
	return failsafe.With(p.fallback, p.retry, p.breaker, p.rate, p.bulkhead, p.timeout)
}

// own are the policies of Genesis of one dependency.
type own struct {
	retry    *resilience.Retry
	breaker  *resilience.Breaker
	rate     *resilience.RateLimit
	bulkhead *resilience.Bulkhead
	timeout  resilience.Timeout
}

func newOwn() (own, error) {
	budget, err := resilience.NewBudget(resilience.BudgetOptions{})
	retry, retryErr := resilience.NewRetry(resilience.RetryOptions{Budget: budget})
	breaker, breakerErr := resilience.NewBreaker(resilience.BreakerOptions{RecoveryTimeout: time.Hour})
	rate, rateErr := resilience.NewRateLimit(resilience.RateLimitOptions{PerSecond: policyRate})
	slots, slotsErr := resilience.NewBulkhead(resilience.BulkheadOptions{Slots: policySlots})
	return own{
		retry: retry, breaker: breaker, rate: rate, bulkhead: slots, timeout: resilience.Timeout{Limit: policyTimeout},
	}, errors.Join(err, retryErr, breakerErr, rateErr, slotsErr)
}

// ladder is all of them in the first rung, and below it an answer that is always
// there, as the peer's fallback is.
func (o own) ladder(rungs ...resilience.Rung) (*resilience.Fallback, error) {
	primary := resilience.Rung{Name: "primary", Policy: resilience.Chain{o.retry, o.breaker, o.rate, o.bulkhead, o.timeout}}
	return resilience.NewFallback(resilience.FallbackOptions{Rungs: append([]resilience.Rung{primary}, rungs...)})
}

func static() resilience.Rung {
	return resilience.Rung{Name: "static", Func: func(context.Context) error { return nil }}
}

// open makes both breakers open.
func open(ctx context.Context, p peers, o own) error {
	for range 5 {
		_ = failsafe.With[any](p.breaker).Run(func() error { return errDown })
		_ = o.breaker.Do(ctx, func(context.Context) error { return errDown })
	}
	if !p.breaker.IsOpen() {
		return errPeerUnready
	}
	if state := o.breaker.Stats().State; state != resilience.StateOpen {
		return fmt.Errorf("our breaker is %s, not open", state)
	}
	return nil
}

// byPeer calls work that has nothing to do, through policies of the peer.
func byPeer(e failsafe.Executor[any]) call {
	work := func() error { return nil }
	return func(context.Context) error { return e.Run(work) }
}

// byOwn does so through a policy of ours.
func byOwn(p resilience.Policy) call {
	work := func(context.Context) error { return nil }
	return func(ctx context.Context) error { return p.Do(ctx, work) }
}

// refused is a call that must fail.
func refused(c call) call {
	return func(ctx context.Context) error {
		if err := c(ctx); err == nil {
			return errUnexpected
		}
		return nil
	}
}
