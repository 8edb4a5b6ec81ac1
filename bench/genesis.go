package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// publish publishes n requests as raw does, with inFlight of them waiting for their
// confirmation.
func publish(ctx context.Context, b *bus.Bus, n int, prompt string) error {
	promises := make([]*bus.Promise, inFlight)
	for i := range n + inFlight {
		p := &promises[i%inFlight]
		if *p != nil {
			if _, err := (*p).Wait(ctx); err != nil {
				return err
			}
			*p = nil
		}
		if i < n {
			sent, err := b.PublishAsync(bus.Envelope{Agent: genesisAgent, Request: bus.Request{Prompt: prompt}})
			if err != nil {
				return err
			}
			*p = sent
		}
	}
	return nil
}

// publishBy publishes n requests by so many callers at once, each of whom waits for
// its confirmation.
func publishBy(ctx context.Context, b *bus.Bus, callers, n int, prompt string) error {
	return eachOf(ctx, callers, n, func(ctx context.Context) error {
		_, err := b.Publish(ctx, bus.Envelope{Agent: genesisAgent, Request: bus.Request{Prompt: prompt}})
		return err
	})
}

// eachOf calls f n times in all, by so many callers at once.
func eachOf(ctx context.Context, callers, n int, f func(context.Context) error) error {
	work, ctx := errgroup.WithContext(ctx)
	for i := range callers {
		share := n / callers
		if i < n%callers {
			share++
		}
		work.Go(func() error {
			for range share {
				if err := f(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return work.Wait()
}

// pool is a pool whose handler hands jobs to an agent as internal/worker does.
func pool(b *bus.Bus, name string, size int, a agents.Agent, done func(bus.Settlement)) (*bus.Pool, error) {
	return b.NewPool(bus.PoolOptions{
		Agent: name, Slots: size, Reserved: size / 5, Worker: "bench", Observe: done, DrainTimeout: time.Second,
		Handler: handler(a),
	})
}

// handler hands a job to an agent.
func handler(a agents.Agent) bus.Handler {
	return func(ctx context.Context, job *bus.Job) (bus.Answer, error) {
		r, err := resilience.Get(ctx, resilience.Timeout{Limit: 30 * time.Second}, func(ctx context.Context) (agents.Result, error) {
			return a.Handle(ctx, task(job))
		})
		if err != nil {
			return bus.Answer{}, err
		}
		return bus.Answer{
			Output: r.Output, Valid: r.Valid(), Rung: r.Rung, Provider: r.Provider, Degraded: r.Degraded, Retries: r.RetryCount,
			Usage: bus.Usage{InputTokens: r.Usage.InputTokens, OutputTokens: r.Usage.OutputTokens},
		}, nil
	}
}

// task is a job as an agent sees it.
func task(j *bus.Job) agents.Task {
	t := agents.Task{
		ID: j.ID, Agent: j.Agent, Method: j.Request.Method, Prompt: j.Request.Prompt,
		Input: j.Request.Input, Metadata: j.Request.Metadata, Attempt: j.Attempt,
	}
	if t.Method == "" {
		t.Method = bus.MethodExecute
	}
	return t
}

// echo is the agent of the contest: echo on one rung, as the configuration builds it.
func echo() agents.Agent { return echoWithin(nil) }

// echoWithin is echo with a policy around each attempt.
func echoWithin(attempt resilience.Policy) agents.Agent {
	ladder, err := agents.NewLadder(agents.LadderOptions{
		Name:  "echo",
		Rungs: []agents.Rung{{Name: agents.Primary, Provider: "echo", Agent: agents.Echo(), Attempt: attempt}},
	})
	if err != nil {
		return agents.Func(func(context.Context, agents.Task) (agents.Result, error) { return agents.Result{}, err })
	}
	return ladder
}

// working runs workers beside f: it stops them when f returns, and returns all errors.
func working(ctx context.Context, f func(context.Context) error, workers ...func(context.Context) error) error {
	running, ctx := errgroup.WithContext(ctx)
	work, stop := context.WithCancel(ctx)
	for _, w := range workers {
		running.Go(func() error { return w(work) })
	}
	err := f(ctx)
	stop()
	if stopped := running.Wait(); stopped != nil {
		return fmt.Errorf("worker: %w", stopped)
	}
	return err
}
