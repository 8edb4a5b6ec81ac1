package program

import (
	"context"
	"fmt"
	"log/slog"
	"math"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/streams"
)

// envelopeRoom is what a request's headers and JSON frame may add to its body.
const envelopeRoom = 64 * config.KiB

// Connect connects a program to the configured broker, or to the one in this process
// when inProcess is not nil, and prepares it. name shows up in the broker's list of
// connections. It waits for the broker as bus.Connect does. The caller closes the bus.
func Connect(ctx context.Context, name string, cfg *config.Config, log *slog.Logger, inProcess nats.InProcessConnProvider) (*bus.Bus, error) {
	o := bus.Options{
		Name:        "genesis-" + name,
		Credentials: cfg.NATS.Credentials,
		InProcess:   inProcess,
		GroupCommit: cfg.NATS.Durability == config.DurabilityStrict,
		Logger:      log,
	}
	if inProcess == nil {
		o.URL = cfg.NATS.Address()
	}
	b, err := bus.Connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := Prepare(ctx, b, cfg); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Prepare creates the streams and consumers that are missing. It returns a
// *bus.ConflictError when a stream contradicts the contract; that stream is not
// changed. Programs that start together may call it at once.
func Prepare(ctx context.Context, b *bus.Bus, cfg *config.Config) error {
	want, err := Streams(cfg)
	if err != nil {
		return err
	}
	if err := bus.EnsureStreams(ctx, b.JetStream(), want); err != nil {
		return fmt.Errorf("prepare the streams: %w", err)
	}
	for _, name := range cfg.AgentNames() {
		if err := b.EnsureConsumers(ctx, name, cfg.Agents[name].AckWait.Std()); err != nil {
			return fmt.Errorf("prepare the queues: %w", err)
		}
	}
	return nil
}

// Streams returns the configuration of every stream that a configuration asks for.
func Streams(cfg *config.Config) ([]jetstream.StreamConfig, error) {
	o := streams.Options{Replicas: cfg.NATS.Replicas, Agents: make(map[string]streams.AgentOptions, len(cfg.Agents))}
	for name, agent := range cfg.Agents {
		a := streams.AgentOptions{MaxPending: int64(agent.MaxPending)}
		if cfg.Gateway.MaxBody > config.MiB { // the template's own limit suits the default
			a.MaxMsgSize = int32(min(cfg.Gateway.MaxBody+envelopeRoom, math.MaxInt32))
		}
		o.Agents[name] = a
	}
	return streams.Load(o)
}
