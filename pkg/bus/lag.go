package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Lag is how much work of one lane is not settled yet.
type Lag struct {
	Agent string `json:"agent"`
	Lane  Lane   `json:"lane"`
	// Pending messages have not been delivered to a worker yet.
	Pending uint64 `json:"pending"`
	// InFlight messages are being executed, or wait for their next attempt.
	InFlight uint64 `json:"in_flight"`
	// Lag is the sum of both.
	Lag uint64 `json:"lag"`
	// Redelivered counts the messages in flight that were delivered before.
	Redelivered uint64 `json:"redelivered"`
	// OldestAge is the age of the oldest request, 0 without any.
	OldestAge time.Duration `json:"oldest_age_ns"`
}

// Lag reads the lag of one lane of an agent. A missing consumer is an error, never a
// lag of 0. Errors: [ErrUnknownAgent], [ErrUnavailable].
func (b *Bus) Lag(ctx context.Context, agent string, lane Lane) (Lag, error) {
	if err := ValidAgent(agent); err != nil {
		return Lag{}, err
	}
	c, err := b.js.Consumer(ctx, RequestStream(agent), string(lane))
	if err != nil {
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return Lag{}, fmt.Errorf("lag of %s: %w", agent, ErrUnknownAgent)
		}
		return Lag{}, readError("lag of "+agent, err)
	}
	info := c.CachedInfo()
	l := Lag{
		Agent: agent, Lane: lane, Pending: info.NumPending, InFlight: uint64(max(info.NumAckPending, 0)),
		Redelivered: uint64(max(info.NumRedelivered, 0)),
	}
	l.Lag = l.Pending + l.InFlight
	s, err := b.stream(ctx, RequestStream(agent))
	if err != nil {
		return Lag{}, err
	}
	oldest, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(RequestSubject(agent, lane, "*")))
	switch {
	case err == nil:
		l.OldestAge = max(time.Since(oldest.Time), 0)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return Lag{}, readError("oldest request of "+agent, err)
	}
	return l, nil
}

// Agents names the agents that have a request stream, sorted by name.
func (b *Bus) Agents(ctx context.Context) ([]string, error) {
	names := b.js.StreamNames(ctx, jetstream.WithStreamListSubject(requestPrefix+">"))
	var out []string
	for name := range names.Name() {
		if agent, ok := AgentOfStream(name); ok {
			out = append(out, agent)
		}
	}
	if err := names.Err(); err != nil {
		return nil, readError("list the agents", err)
	}
	slices.Sort(out)
	return out, nil
}
