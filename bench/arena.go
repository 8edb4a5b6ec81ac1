package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"genesis/pkg/bus"
	"genesis/streams"
)

// The agents of the contest: each side has its own work queue, of the same settings.
const (
	rawAgent     = "raw"
	genesisAgent = "echo"
)

const (
	// slots is how many requests a worker has in hand at once.
	slots = 64
	// inFlight is how many publishes wait for their confirmation at once.
	inFlight = 256
	// maxPending keeps the queues from refusing what a round brings.
	maxPending = 4_000_000
)

// An arena is a server with the streams of the contest and connections to it: one for
// the publishers and one for the workers of each side, as they would be programs of
// their own.
type arena struct {
	broker *broker
	admin  jetstream.JetStream

	rawPublisher, rawWorker *nats.Conn
	publisher, worker       *bus.Bus

	closers []func()
}

// openArena starts a server and makes the streams of the agents, beside the two that
// always compete.
func openArena(ctx context.Context, durability string, more ...string) (a *arena, err error) {
	a = &arena{}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.broker, err = startBroker(ctx, durability); err != nil {
		return a, err
	}
	a.closers = append(a.closers, a.broker.stop)
	for _, nc := range []**nats.Conn{&a.rawPublisher, &a.rawWorker} {
		if *nc, err = nats.Connect(a.broker.url); err != nil {
			return a, fmt.Errorf("connect: %w", err)
		}
		a.closers = append(a.closers, (*nc).Close)
	}
	for _, b := range []**bus.Bus{&a.publisher, &a.worker} {
		if *b, err = bus.Connect(ctx, bus.Options{URL: a.broker.url, GroupCommit: durability == strict}); err != nil {
			return a, err
		}
		a.closers = append(a.closers, (*b).Close)
	}
	a.admin = a.publisher.JetStream()
	o := streams.Options{Agents: map[string]streams.AgentOptions{}}
	for _, agent := range append([]string{rawAgent, genesisAgent}, more...) {
		o.Agents[agent] = streams.AgentOptions{MaxPending: maxPending}
	}
	want, err := streams.Load(o)
	if err != nil {
		return a, err
	}
	if err := bus.EnsureStreams(ctx, a.admin, want); err != nil {
		return a, err
	}
	for agent := range o.Agents {
		if err := a.publisher.EnsureConsumers(ctx, agent, 0); err != nil {
			return a, err
		}
	}
	return a, nil
}

// close closes the connections and stops the server.
func (a *arena) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i]()
	}
}

// empty purges the queues of the agents and all results, so that every round begins alike.
func (a *arena) empty(ctx context.Context, agents ...string) error {
	names := []string{bus.StreamResults}
	for _, agent := range agents {
		names = append(names, bus.RequestStream(agent))
	}
	for _, name := range names {
		s, err := a.admin.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		if err := s.Purge(ctx); err != nil {
			return fmt.Errorf("purge %s: %w", name, err)
		}
	}
	return nil
}

// fill puts n requests into an agent's queue, as quickly as can be: in atomic batches.
// Those for Genesis look as it would have published them.
func (a *arena) fill(ctx context.Context, agent string, n int, payload []byte) error {
	return a.fillTraced(ctx, agent, n, payload, "")
}

// fillTraced is fill with a trace context, if there is one, in each request.
func (a *arena) fillTraced(ctx context.Context, agent string, n int, payload []byte, traceparent string) error {
	const most = 1000
	for n > 0 {
		batch := make([]*nats.Msg, min(n, most))
		for i := range batch {
			m := nats.NewMsg(bus.RequestSubject(agent, bus.LaneInteractive, nuid.Next()))
			m.Data = payload
			if agent != rawAgent {
				m.Header.Set(bus.HeaderNewID, "1")
			}
			if traceparent != "" {
				m.Header[bus.HeaderTraceparent] = []string{traceparent}
			}
			batch[i] = m
		}
		if _, err := jetstreamext.PublishMsgBatch(ctx, a.admin, batch); err != nil {
			return fmt.Errorf("fill the queue of %s: %w", agent, err)
		}
		n -= len(batch)
	}
	return nil
}

// text is a prompt that makes a request payload of size bytes.
func text(size int) string {
	const frame = `{"prompt":""}`
	words := "the quick brown fox jumps over the lazy dog and finds nothing there but more text; "
	return strings.Repeat(words, size/len(words)+1)[:size-len(frame)]
}
