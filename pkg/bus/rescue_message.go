package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A rescue is one look for the stranded requests of one agent.
type rescue struct {
	bus    *Bus
	agent  string
	stream string
	// pool makes the dead letters: nobody else knows how. It never runs.
	pool *Pool
}

func (b *Bus) newRescue(ctx context.Context, agent string) (*rescue, error) {
	p, err := b.NewPool(PoolOptions{
		Agent: agent, Worker: rescuer, Logger: b.log,
		Handler: func(context.Context, *Job) (Answer, error) { return Answer{}, errNoHandler },
	})
	if err != nil {
		return nil, err
	}
	p.cut = ctx.Done()
	return &rescue{bus: b, agent: agent, stream: RequestStream(agent), pool: p}, nil
}

var errNoHandler = errors.New("a rescue executes nothing")

// message makes a dead letter of a message that is known to be stranded, and removes
// it. deliveries are those that the broker counted, 0 when it does not tell.
func (r *rescue) message(ctx context.Context, lane Lane, msg *jetstream.RawStreamMsg, reason string, deliveries uint64) Rescued {
	out := Rescued{Agent: r.agent, Sequence: msg.Sequence, Reason: reason}
	meta := &nats.MsgMetadata{Stream: r.stream, Timestamp: msg.Time, NumDelivered: max(deliveries, 2)} // it has a past
	meta.Sequence.Stream = msg.Sequence
	d, err := open(&nats.Msg{Subject: msg.Subject, Header: msg.Header, Data: msg.Data}, meta, r.agent, lane)
	out.ID = d.job.ID
	o := outcome{verdict: VerdictMalformed, err: err}
	if err == nil {
		known := false
		if o, known = r.pool.lookBack(ctx, d); !known {
			o = outcome{verdict: VerdictExhausted, err: errors.New("left behind: " + reason)}
		}
	}
	d.job.Deliveries = max(deliveries, d.history.Settled)
	if o, out.Err = r.settle(ctx, d, o); out.Err != nil {
		return out
	}
	r.bus.sendHint(d.replyTo, o.existing.Payload)
	out.Err = r.remove(ctx, msg.Sequence)
	return out
}

// settle makes the outcome durable, as a pool does before it settles a message.
func (r *rescue) settle(ctx context.Context, d *delivery, o outcome) (outcome, error) {
	switch o.verdict {
	case VerdictPermanent, VerdictExhausted, VerdictMalformed, VerdictPanic, VerdictPoison:
		o = r.pool.bury(ctx, d, o)
	case VerdictDuplicate:
		o = r.pool.noteDuplicate(ctx, d, o)
	case VerdictSuccess, VerdictAnswered, VerdictExpired,
		VerdictRetryable, VerdictRejected, VerdictDraining, VerdictHeld:
	}
	if o.verdict == VerdictHeld {
		return o, o.err
	}
	return o, nil
}

// remove takes a message out of the queue, unless it is gone.
func (r *rescue) remove(ctx context.Context, sequence uint64) error {
	s, err := r.bus.stream(ctx, r.stream)
	if err != nil {
		return err
	}
	if err := s.DeleteMsg(ctx, sequence); err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return readError("remove a rescued request from its queue", err)
	}
	return nil
}
