package main

import (
	"context"
	"errors"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/ratelimiter"

	"genesis/pkg/resilience"
)

// policyCases are the six policies together, on success and in an outage, and each
// alone; full has no slot left.
func policyCases(ctx context.Context, full *resilience.Bulkhead) ([]policyCase, error) {
	p, out := newPeers(), newPeers()
	o, err := newOwn()
	closed, closedErr := o.ladder(static())
	down, downErr := newOwn()
	if err := errors.Join(err, closedErr, downErr); err != nil {
		return nil, err
	}
	if err := open(ctx, out, down); err != nil {
		return nil, err
	}
	degraded, err := down.ladder(static())
	shut, shutErr := down.ladder()
	if err := errors.Join(err, shutErr); err != nil {
		return nil, err
	}
	cases := []policyCase{
		{name: "six policies, success", peer: byPeer(p.all()), ours: byOwn(closed), whole: true},
		{name: "six policies, work that waits", peer: waitingPeer(p.all()), ours: waitingOwn(closed), whole: true},
		{name: "six policies, rejected, next rung answers", peer: byPeer(out.all()), ours: byOwn(degraded), rejected: true},
		{
			name: "six policies, rejected", rejected: true,
			peer: refused(byPeer(failsafe.With(out.retry, out.breaker, out.rate, out.bulkhead, out.timeout))),
			ours: refused(byOwn(shut)),
		},
	}
	alone, err := aloneCases(ctx, full, p, out, o, down)
	return append(cases, alone...), err
}

// waitingPeer and waitingOwn call work that looks whether its context has ended, as
// work that waits for something does. Each call has a context of its caller's.
func waitingPeer(e failsafe.Executor[any]) call {
	work := func(exec failsafe.Execution[any]) error { return ended(exec.Context()) }
	return func(ctx context.Context) error { return e.WithContext(ctx).RunWithExecution(work) }
}

func waitingOwn(p resilience.Policy) call {
	return func(ctx context.Context) error { return p.Do(ctx, ended) }
}

func ended(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}
}

// aloneCases are each policy alone: p and o are at rest, out and down behind a
// breaker that is open; full has no slot left.
func aloneCases(ctx context.Context, full *resilience.Bulkhead, p, out peers, o, down own) ([]policyCase, error) {
	ladder, err := resilience.NewFallback(resilience.FallbackOptions{Rungs: []resilience.Rung{{Name: "primary"}, static()}})
	rate, rateErr := resilience.NewRateLimit(resilience.RateLimitOptions{PerSecond: 0.001})
	if err := errors.Join(err, rateErr); err != nil {
		return nil, err
	}
	peerRate := ratelimiter.NewBursty[any](1, 1000*policyTimeout)
	for byPeer(failsafe.With[any](peerRate))(ctx) == nil && byOwn(rate)(ctx) == nil {
	}
	peerFull := bulkhead.New[any](1)
	_ = peerFull.TryAcquirePermit()
	return []policyCase{
		{name: "fallback", peer: byPeer(failsafe.With(p.fallback)), ours: byOwn(ladder)},
		{name: "retry", peer: byPeer(failsafe.With(p.retry)), ours: byOwn(o.retry)},
		{name: "breaker", peer: byPeer(failsafe.With[any](p.breaker)), ours: byOwn(o.breaker)},
		{name: "rate limit", peer: byPeer(failsafe.With(p.rate)), ours: byOwn(o.rate)},
		{name: "bulkhead", peer: byPeer(failsafe.With(p.bulkhead)), ours: byOwn(o.bulkhead)},
		{name: "timeout", peer: byPeer(failsafe.With(p.timeout)), ours: byOwn(o.timeout)},
		{name: "timeout, work that waits", peer: waitingPeer(failsafe.With(p.timeout)), ours: waitingOwn(o.timeout)},
		{name: "breaker, rejected", peer: refused(byPeer(failsafe.With[any](out.breaker))), ours: refused(byOwn(down.breaker)), rejected: true},
		{name: "rate limit, rejected", peer: refused(byPeer(failsafe.With[any](peerRate))), ours: refused(byOwn(rate)), rejected: true},
		{name: "bulkhead, rejected", peer: refused(byPeer(failsafe.With[any](peerFull))), ours: refused(byOwn(full)), rejected: true},
	}, nil
}
