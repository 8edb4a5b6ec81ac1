package bus

import "context"

// A Promise is a request on its way to its queue. It is accepted once Wait says so.
type Promise struct {
	bus     *Bus
	receipt Receipt
	waiting *confirmation
}

// PublishAsync sends a request without waiting for the broker's confirmation, for
// whoever publishes many: send them all, then [Promise.Wait] for each. It blocks while
// 65,536 are unconfirmed. An error means that nothing was sent; errors are those of
// [Bus.Publish]. It does not take part in group commit.
func (b *Bus) PublishAsync(e Envelope) (*Promise, error) {
	if e.Lane == "" {
		e.Lane = LaneInteractive
	}
	msg, err := e.message(false)
	if err != nil {
		return nil, err
	}
	if err := b.checkSize(msg); err != nil {
		return nil, err
	}
	p := &Promise{bus: b, receipt: Receipt{ID: e.ID, Agent: e.Agent, Lane: e.Lane, Stream: RequestStream(e.Agent)}}
	if p.waiting, err = b.commit.confirm.send(msg); err != nil {
		return nil, publishError(err)
	}
	return p, nil
}

// Wait waits for the confirmation, at most 5 seconds. Call it once. The Receipt's ID
// is set also with an error, and the errors are those of [Bus.Publish].
func (p *Promise) Wait(ctx context.Context) (Receipt, error) {
	var err error
	p.receipt.Sequence, err = p.bus.commit.confirm.await(ctx, p.waiting)
	return p.receipt, p.bus.explainPublish(ctx, &p.receipt, err)
}
