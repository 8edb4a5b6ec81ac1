package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxWaiting is above all replicas' pulls: a worker keeps two at most for an agent.
	maxWaiting = 8192
	// maxAckPending is far above all replicas' slots, because a message that waits for
	// its retry counts too and must not stall fresh work.
	maxAckPending = 1_000_000
)

// consumerConfig is the consumer of one lane. It has neither MaxDeliver nor BackOff:
// the worker decides, on pick-up, from its own ledger.
func consumerConfig(agent string, lane Lane, ackWait time.Duration) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       string(lane),
		Description:   "Genesis: the " + string(lane) + " lane of " + agent,
		FilterSubject: RequestSubject(agent, lane, "*"),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: maxAckPending,
		MaxWaiting:    maxWaiting,
	}
}

// EnsureConsumers creates the consumers of an agent's lanes, or brings them up to date.
// Without them there is nobody to count what waits. ackWait is as in [PoolOptions].
// Errors: [ErrUnknownAgent] when the agent has no stream, [ErrUnavailable].
func (b *Bus) EnsureConsumers(ctx context.Context, agent string, ackWait time.Duration) error {
	for _, lane := range Lanes() {
		cfg := consumerConfig(agent, lane, ackWait)
		if _, err := b.js.CreateOrUpdateConsumer(ctx, RequestStream(agent), cfg); err != nil {
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				return fmt.Errorf("create the consumer of %s's %s lane: %w: it has no stream: create it with `genesis streams apply`", agent, lane, ErrUnknownAgent)
			}
			return readError(fmt.Sprintf("create the consumer of %s's %s lane", agent, lane), err)
		}
	}
	return nil
}
