package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

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
	b, err := bus.Connect(ctx, options(name, cfg, log, inProcess))
	if err != nil {
		return nil, err
	}
	if err := prepareWithin(ctx, b, cfg, log, preparePatience); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// ConnectLater is Connect for a program that has something to say while the broker is
// away: it returns at once, with a bus that connects when the broker comes. The streams
// on it are to be prepared then, by [PrepareOnceThere].
func ConnectLater(ctx context.Context, name string, cfg *config.Config, log *slog.Logger, inProcess nats.InProcessConnProvider) (*bus.Bus, error) {
	o := options(name, cfg, log, inProcess)
	o.Background = true
	return bus.Connect(ctx, o)
}

func options(name string, cfg *config.Config, log *slog.Logger, inProcess nats.InProcessConnProvider) bus.Options {
	return bus.Options{
		URL:         cfg.NATS.Address(), // for people, when inProcess is not nil
		Name:        "genesis-" + name,
		Credentials: cfg.NATS.Credentials,
		InProcess:   inProcess,
		GroupCommit: cfg.NATS.Durability == config.DurabilityStrict,
		Logger:      log,
	}
}

// PrepareOnceThere prepares the broker as soon as it is there, however long that takes.
// It returns an error when the broker refuses, and nil when ctx has ended.
func PrepareOnceThere(ctx context.Context, b *bus.Bus, cfg *config.Config, log *slog.Logger) error {
	for !b.Connected() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(prepareAgain):
		}
	}
	if err := prepareWithin(ctx, b, cfg, log, forEver); ctx.Err() == nil {
		return err
	}
	return nil
}

// prepareWithin prepares the broker, again and again while it is away: it may be
// restarted in this very moment, and a program that gives up helps nobody.
func prepareWithin(ctx context.Context, b *bus.Bus, cfg *config.Config, log *slog.Logger, patience time.Duration) error {
	var logged time.Time
	for end := time.Now().Add(patience); ; {
		err := Prepare(ctx, b, cfg)
		if err == nil || ctx.Err() != nil || refused(err) || time.Now().After(end) {
			return err
		}
		if time.Since(logged) >= logAgain {
			logged = time.Now()
			log.Warn("waiting for NATS", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(prepareAgain):
		}
	}
}

// refused reports whether the broker answered and said no: waiting does not help.
func refused(err error) bool {
	var conflict *bus.ConflictError
	var api *jetstream.APIError
	return errors.As(err, &conflict) || errors.As(err, &api) && api.Code < 500
}

const (
	// preparePatience is how long a broker may be away while it is prepared.
	preparePatience = 30 * time.Second
	prepareAgain    = 250 * time.Millisecond
	logAgain        = 10 * time.Second
	forEver         = 100 * 365 * 24 * time.Hour
)

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
