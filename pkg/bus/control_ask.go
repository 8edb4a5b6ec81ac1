package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// askQuiet is how long nothing new must come before everybody is believed to have
// answered: it covers the way to and from the farthest replica.
const askQuiet = 200 * time.Millisecond

// ErrNoAnswer is the error in the Reply of a replica that is there, but did not answer
// in time: it is busy, stuck, or older than the command.
var ErrNoAnswer = errors.New("no answer in time")

// A Reply is what one replica answered to a command.
type Reply struct {
	// ID is the replica's, as `nats micro ls` shows it.
	ID string
	// Data is the answer, JSON; nil with an error.
	Data json.RawMessage
	// Err is what the replica refused the command with, or [ErrNoAnswer].
	Err error
}

// Decode reads the answer into v.
func (r Reply) Decode(v any) error {
	if r.Err != nil {
		return fmt.Errorf("replica %s: %w", r.ID, r.Err)
	}
	if err := json.Unmarshal(r.Data, v); err != nil {
		return fmt.Errorf("replica %s: read its answer: %w", r.ID, err)
	}
	return nil
}

// Ask sends a command to every replica of a component and gathers their answers, by
// replica. It asks the replicas at the same time who is there; so it returns as soon
// as everybody has answered and nobody new was heard of for a moment, or when wait has
// passed, and one that is there without an answer has a Reply with [ErrNoAnswer].
// Errors: [ErrNotFound] when there is no replica, [ErrUnavailable].
func (b *Bus) Ask(ctx context.Context, component, verb string, v any, wait time.Duration) ([]Reply, error) {
	op := "ask " + component + " for " + verb
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	ping, err := micro.ControlSubject(micro.PingVerb, serviceName(component), "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	inbox := b.nc.NewInbox()
	heard := make(chan *nats.Msg, 4096) // more replicas than one stream takes consumers
	sub, err := b.nc.ChanSubscribe(inbox+".*", heard)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, publishError(err))
	}
	defer func() { _ = sub.Unsubscribe() }() // it also ends with the connection
	err = errors.Join(
		b.nc.PublishRequest(ping, inbox+"."+heardPing, nil),
		b.nc.PublishRequest(ControlSubject(component, verb), inbox+"."+heardAnswer, data),
	)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, publishError(err))
	}
	g := gathering{replies: map[string]Reply{}}
	g.listen(ctx, heard)
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if len(g.replies) == 0 {
		if !b.nc.IsConnected() {
			return nil, fmt.Errorf("%s: %w: the connection is lost", op, ErrUnavailable)
		}
		return nil, fmt.Errorf("%s: no %s is running: %w", op, component, ErrNotFound)
	}
	return g.sorted(), nil
}

// The last tokens of the inboxes that tell the two kinds of message apart.
const (
	heardPing   = "ping"
	heardAnswer = "answer"
)

// gathering collects who is there and what they answered.
type gathering struct {
	replies map[string]Reply // by replica; those that were only heard of have ErrNoAnswer
	missing int              // how many of them have
	absent  int              // how many of the two questions nobody listens to
}

// listen takes messages until nobody is missing and all is quiet, or ctx ends.
func (g *gathering) listen(ctx context.Context, heard <-chan *nats.Msg) {
	quiet := time.NewTimer(askQuiet)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-heard:
			g.take(msg)
			if g.absent == 2 {
				return
			}
			quiet.Reset(askQuiet)
		case <-quiet.C:
			if g.missing == 0 && len(g.replies) > 0 {
				return
			}
			quiet.Reset(askQuiet)
		}
	}
}

func (g *gathering) take(msg *nats.Msg) {
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" { // no responders
		g.absent++
		return
	}
	if strings.HasSuffix(msg.Subject, heardPing) {
		var who micro.Ping
		if json.Unmarshal(msg.Data, &who) != nil || who.ID == "" {
			return
		}
		if _, known := g.replies[who.ID]; !known {
			g.replies[who.ID] = Reply{ID: who.ID, Err: ErrNoAnswer}
			g.missing++
		}
		return
	}
	r := Reply{ID: msg.Header.Get(headerReplica), Data: msg.Data}
	if text := msg.Header.Get(micro.ErrorHeader); text != "" {
		r.Data, r.Err = nil, errors.New(text)
	}
	if before, known := g.replies[r.ID]; known && errors.Is(before.Err, ErrNoAnswer) {
		g.missing--
	}
	g.replies[r.ID] = r
}

func (g *gathering) sorted() []Reply {
	replies := make([]Reply, 0, len(g.replies))
	for _, r := range g.replies {
		replies = append(replies, r)
	}
	slices.SortFunc(replies, func(x, y Reply) int { return strings.Compare(x.ID, y.ID) })
	return replies
}
