// Hello is a worker with an agent of its own. With `genesis up` running: nats pub genesis.requests.hello '{"prompt":"Ada"}'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/streams"
)

func run(ctx context.Context, url string) error {
	b, err := bus.Connect(ctx, bus.Options{URL: url, Name: "hello"})
	if err != nil {
		return err
	}
	defer b.Close()
	queues, bad := streams.Load(streams.Options{Agents: map[string]streams.AgentOptions{"hello": {}}})
	pool, err := b.NewPool(bus.PoolOptions{Agent: "hello", Handler: func(_ context.Context, job *bus.Job) (bus.Answer, error) {
		return bus.Answer{Output: agents.Text("Hello, " + job.Request.Prompt + "!").Output, Rung: agents.Primary}, nil
	}})
	if err = errors.Join(err, bad, bus.EnsureStreams(ctx, b.JetStream(), queues)); err != nil {
		return err
	}
	return pool.Run(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, bus.DefaultURL); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}
