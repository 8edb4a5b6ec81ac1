package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Rescued is a request that no consumer would have delivered again, and what became
// of it.
type Rescued struct {
	Agent string
	// ID is empty when the request could not be read.
	ID       string
	Sequence uint64
	// Reason says what had left it behind.
	Reason string
	// Err is why it could not be rescued yet; nil: it is a dead letter now, or its queue
	// held it though it was answered.
	Err error
}

// rescuer names who made a dead letter, where a worker would stand.
const rescuer = "backstop"

// rescueLimit is how many requests of a lane one call rescues; the next goes on.
const rescueLimit = 100

// Rescue looks through the queues of the agents for requests that no consumer will
// ever deliver again, makes each a dead letter with its failure, as a worker would, and
// removes it from its queue. It also puts right a lane's consumer that somebody has
// edited, before more is left behind. It returns what it found, at most 100 a lane, and
// what kept it from looking: [ErrUnknownAgent], [ErrUnavailable].
//
// How a request is left behind: a work queue keeps a message until its consumer settles
// it, but the consumer forgets one that reached a limit of deliveries, or that did not
// match the filter when it was passed by. Neither putting the consumer right nor a
// restart of the broker brings such a message back: only its place in the queue is left.
//
// Why no other request is taken for one of these: a consumer's floor is the sequence up
// to which it has passed every message of its lane and waits for none. A message that is
// read after the floor, and lies at or below it, can be one of two: forgotten, or settled
// just now and on its way out. Who settles a message stores its result first, so that the
// second kind is found to be answered, and is only removed. One that was just published
// lies above the floor, and so does all that workers execute or that waits for its next
// attempt. What the floor cannot tell, because an older message in flight holds it back,
// the broker's advisory tells: see [Rescuer].
//
// Two things only could make this wrong: a consumer that is removed and made anew, and one
// that is reset. Both move the floor back, and it is read again right before each rescue.
// What slips through even so is a worker that is given the request at that very moment:
// then the first of the two results stays, and the dead letter is taken back if that was
// the worker's.
//
// A request that a consumer passed by and does not count, though it has not come to it
// yet, is not rescued: the consumer is made to look again, and a worker gets it.
func (b *Bus) Rescue(ctx context.Context, agents ...string) ([]Rescued, error) {
	var found []Rescued
	var errs []error
	for _, agent := range agents {
		some, err := b.rescueAgent(ctx, agent)
		found = append(found, some...)
		if err != nil {
			errs = append(errs, fmt.Errorf("rescue requests of %s: %w", agent, err))
		}
	}
	return found, errors.Join(errs...)
}

func (b *Bus) rescueAgent(ctx context.Context, agent string) ([]Rescued, error) {
	r, err := b.newRescue(ctx, agent)
	if err != nil {
		return nil, err
	}
	var found []Rescued
	for _, lane := range Lanes() {
		some, err := r.lane(ctx, lane)
		found = append(found, some...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// lane rescues what lies at or below the ack floor of a lane.
func (r *rescue) lane(ctx context.Context, lane Lane) ([]Rescued, error) {
	c, err := r.consumer(ctx, lane)
	if err != nil || c == nil { // without a consumer nothing is forgotten: a new one delivers all
		return nil, err
	}
	limit := c.Config.MaxDeliver
	if err := r.putRight(ctx, lane, c); err != nil {
		return nil, err
	}
	var found []Rescued
	for next := uint64(1); len(found) < rescueLimit; {
		msg, err := r.bus.leaderMessage(ctx, r.stream, nextBySubject(next, RequestSubject(r.agent, lane, "*")))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return found, nil
		}
		if err != nil {
			return found, readError("read the queue", err)
		}
		next = msg.Sequence + 1
		above := msg.Sequence > floor(c)
		again, err := r.consumer(ctx, lane)
		switch {
		case err != nil:
			return found, err
		case again == nil, !again.Created.Equal(c.Created):
			return found, nil
		case above:
			return found, r.lookAgain(ctx, lane, again, msg)
		case msg.Sequence > floor(again):
			return found, nil
		}
		found = append(found, r.message(ctx, lane, msg, reasonPassed(lane, limit), 0))
	}
	return found, nil
}

// floor is the sequence up to which a consumer has passed every message and waits for
// none. The broker's ack floor stays behind when the last message in flight is forgotten.
func floor(c *jetstream.ConsumerInfo) uint64 {
	if c.NumAckPending == 0 {
		return max(c.AckFloor.Stream, c.Delivered.Stream)
	}
	return c.AckFloor.Stream
}

// passedBy is how old a message must be that its consumer does not count, so that it
// was not just published.
const passedBy = 5 * time.Second

// lookAgain makes an idle consumer look again from a message that it has not come to,
// and still does not count: it has read on while its filter was another, and only a
// restart of the broker would bring it back. Nothing is in flight that could be
// delivered twice.
func (r *rescue) lookAgain(ctx context.Context, lane Lane, c *jetstream.ConsumerInfo, msg *jetstream.RawStreamMsg) error {
	if c.NumPending > 0 || c.NumAckPending > 0 || msg.Sequence <= floor(c) || c.TimeStamp.Sub(msg.Time) < passedBy {
		return nil
	}
	r.bus.log.Warn("a consumer has passed requests by; it is made to look again", "agent", r.agent, "lane", lane, "sequence", msg.Sequence)
	if _, err := r.bus.js.ResetConsumerToSequence(ctx, r.stream, string(lane), msg.Sequence); err != nil {
		return readError("make the consumer of the "+string(lane)+" lane look again", err)
	}
	return nil
}

func reasonPassed(lane Lane, limit int) string {
	if limit > 0 {
		return fmt.Sprintf("its %s consumer had a limit of deliveries (MaxDeliver %d) and forgot it", lane, limit)
	}
	return fmt.Sprintf("its %s consumer has passed it and will not deliver it again", lane)
}

// consumer is what the broker knows of a lane's consumer; nil when there is none.
func (r *rescue) consumer(ctx context.Context, lane Lane) (*jetstream.ConsumerInfo, error) {
	c, err := r.bus.js.Consumer(ctx, r.stream, string(lane))
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, nil //nolint:nilnil // said above
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, ErrUnknownAgent
	case err != nil:
		return nil, readError("read the consumer of the "+string(lane)+" lane", err)
	}
	return c.CachedInfo(), nil
}

// putRight undoes what somebody edited in a lane's consumer so that it leaves requests
// behind. A pause, and whatever else an operator may choose, stays.
func (r *rescue) putRight(ctx context.Context, lane Lane, c *jetstream.ConsumerInfo) error {
	cfg := c.Config
	filter := RequestSubject(r.agent, lane, "*")
	if cfg.MaxDeliver <= 0 && len(cfg.BackOff) == 0 && len(cfg.FilterSubjects) == 0 && cfg.FilterSubject == filter {
		return nil
	}
	r.bus.log.Warn("somebody edited a consumer so that it leaves requests behind; it is put right",
		"agent", r.agent, "lane", lane, "max_deliver", cfg.MaxDeliver, "filter", cfg.FilterSubject)
	cfg.MaxDeliver, cfg.BackOff, cfg.FilterSubjects, cfg.FilterSubject = -1, nil, nil, filter
	if _, err := r.bus.js.UpdateConsumer(ctx, r.stream, cfg); err != nil {
		return readError("put the consumer of the "+string(lane)+" lane right", err)
	}
	return nil
}
