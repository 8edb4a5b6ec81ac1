package ctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"golang.org/x/sync/errgroup"

	"genesis/internal/config"
	"genesis/internal/embedded"
	"genesis/internal/gateway"
	"genesis/internal/monitor"
	"genesis/internal/program"
	"genesis/internal/worker"
	"genesis/pkg/bus"
)

// A part is one program within `genesis up`. Its run blocks until all that it started
// has stopped.
type part struct {
	name string
	run  func(context.Context) error
}

func startNATS(ctx context.Context, cfg *config.Config, f upFlags, log *slog.Logger) (*embedded.Server, error) {
	server, err := embedded.Start(ctx, embedded.Options{
		Dir: f.data, Addr: f.nats, Durability: embedded.Durability(cfg.NATS.Durability), Logger: log.With("program", "nats"),
		// A dead letter is a request with more headers.
		MaxPayload: int(cfg.Gateway.MaxBody + 128*config.KiB),
	})
	if err != nil {
		return nil, explainNATS(err)
	}
	return server, nil
}

// newParts makes the programs, in the order in which they stop: the gateway takes no
// more requests before the worker finishes those that it holds, and the monitor does not
// take the end for an outage.
func newParts(cfg *config.Config, b *bus.Bus, log *slog.Logger, token, data string, traced tracedParts) ([]part, *upAddresses, error) {
	version := program.Version()
	g, err := gateway.New(gateway.Options{
		Config: cfg, Bus: b, Log: log.With("program", "gateway"), Version: version, OperatorToken: token, DataDir: data, Tracing: traced.gateway,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: %w", err)
	}
	w, err := worker.New(worker.Options{
		Config: cfg, Bus: b, Log: log.With("program", "worker"), Version: version, OperatorToken: token, DataDir: data, Tracing: traced.worker,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("worker: %w", err)
	}
	m, err := monitor.New(monitor.Options{
		Config: cfg, Bus: b, Log: log.With("program", "monitor"), Version: version, OperatorToken: token, DataDir: data,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("monitor: %w", err)
	}
	return []part{{"gateway", g.Run}, {"monitor", m.Run}, {"worker", w.Run}}, &upAddresses{gateway: g.URL(), worker: w.URL(), monitor: m.URL(), agent: anAgent(cfg)}, nil
}

// anAgent is one to try: echo, if it is there.
func anAgent(cfg *config.Config) string {
	names := cfg.AgentNames()
	if slices.Contains(names, "echo") || len(names) == 0 {
		return "echo"
	}
	return names[0]
}

// errStopped says that a part ended though nobody told it to.
var errStopped = errors.New("it stopped by itself")

// runParts runs the parts until ctx ends or one of them fails, then stops them one
// after the other, in their order. ready is called once all are started; stopping once,
// when the end begins. The error is that of the part that failed.
func runParts(ctx context.Context, parts []part, ready func(context.Context) error, stopping func()) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stop := context.AfterFunc(ctx, stopping)
	defer stop()
	var g errgroup.Group
	turn := ctx.Done()
	for _, p := range parts {
		mine, ended := turn, make(chan struct{})
		partCtx, stopPart := context.WithCancelCause(context.WithoutCancel(ctx))
		g.Go(func() error {
			select {
			case <-mine:
				stopPart(context.Cause(ctx))
			case <-ended:
			}
			return nil
		})
		g.Go(func() error {
			defer close(ended)
			err := p.run(partCtx)
			if err == nil && ctx.Err() == nil {
				err = errStopped
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
				fail(err)
			}
			stopPart(nil)
			return err
		})
		turn = ended
	}
	g.Go(func() error {
		err := ready(ctx)
		if err != nil && ctx.Err() == nil {
			fail(err)
			return err
		}
		return nil
	})
	return g.Wait()
}
