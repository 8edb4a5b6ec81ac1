package main

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
)

// publish publishes n requests by as many callers as raw has publishes in flight.
func publish(ctx context.Context, b *bus.Bus, agent string, n, callers int, prompt string) error {
	work, ctx := errgroup.WithContext(ctx)
	for i := range callers {
		share := n / callers
		if i < n%callers {
			share++
		}
		work.Go(func() error {
			for range share {
				_, err := b.Publish(ctx, bus.Envelope{Agent: agent, Request: bus.Request{Prompt: prompt}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return work.Wait()
}

// pool is a pool whose handler hands jobs to an agent as the worker does.
func pool(b *bus.Bus, agent string, size int, a agents.Agent, done func(bus.Settlement)) (*bus.Pool, error) {
	return b.NewPool(bus.PoolOptions{
		Agent: agent, Slots: size, Reserved: size / 5, Worker: "bench", Observe: done,
		Handler: func(ctx context.Context, job *bus.Job) (bus.Answer, error) {
			r, err := a.Handle(ctx, task(job))
			if err != nil {
				return bus.Answer{}, err
			}
			return bus.Answer{
				Output: r.Output, Rung: r.Rung, Provider: r.Provider, Degraded: r.Degraded, Retries: r.RetryCount,
				Usage: bus.Usage{InputTokens: r.Usage.InputTokens, OutputTokens: r.Usage.OutputTokens},
			}, nil
		},
	})
}

// task is a job as an agent sees it.
func task(j *bus.Job) agents.Task {
	return agents.Task{
		ID: j.ID, Agent: j.Agent, Method: j.Request.Method, Prompt: j.Request.Prompt,
		Input: json.RawMessage(j.Request.Input), Metadata: json.RawMessage(j.Request.Metadata), Attempt: j.Attempt,
	}
}

// echo is the agent of the contest: echo on one rung, as the configuration builds it.
func echo() agents.Agent {
	return agents.Ladder{{Name: "primary", Provider: "echo", Agent: agents.Echo()}}
}

// working runs a worker beside f: it stops the worker when f returns, and returns both errors.
func working(ctx context.Context, worker, f func(context.Context) error) error {
	running, ctx := errgroup.WithContext(ctx)
	work, stop := context.WithCancel(ctx)
	running.Go(func() error { return worker(work) })
	err := f(ctx)
	stop()
	if stopped := running.Wait(); stopped != nil {
		return fmt.Errorf("worker: %w", stopped)
	}
	return err
}
