package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// A Rescuer watches for stranded requests from one survey to the next. It is not for
// concurrent use; make it with [Bus.NewRescuer].
//
// It has two ways to find them. The broker's advisories name each message that reached a
// limit of deliveries, at once. And when a queue holds more messages than its lanes wait
// for and have in flight, in two surveys one after the other, it looks for them as
// [Bus.Rescue] does; that needs no advisory, and finds what is left behind in any way.
type Rescuer struct {
	bus *Bus
	// read is the place of the last advisory that was looked at.
	read uint64
	// again are advisories whose requests could not be rescued yet.
	again []advisory
	// strays are, by agent, the messages of its queue that no lane counts.
	strays map[string]stray
}

// A stray is what the survey before told of an agent's queue.
type stray struct {
	messages int64
	// rest is for how many looks the queue is left alone, after a search in vain.
	rest int
}

const (
	// searchRest bounds what a queue costs whose figures never agree, because so much
	// passes through it, to one search in as many looks.
	searchRest = 9
	// maxAgain bounds the advisories that wait; others are found by comparison.
	maxAgain = 1000
)

// NewRescuer makes a Rescuer that has seen nothing yet.
func (b *Bus) NewRescuer() *Rescuer { return &Rescuer{bus: b, strays: map[string]stray{}} }

// Look compares a survey with the one before, reads the advisories since, and rescues
// what is stranded. Without trouble it costs nothing. It returns what it found, and what kept it from looking everywhere:
// [ErrUnavailable].
func (r *Rescuer) Look(ctx context.Context, s Survey) ([]Rescued, error) {
	found, err := r.readAdvisories(ctx, s)
	some, searchErr := r.bus.Rescue(ctx, r.suspects(s)...)
	for _, f := range some {
		delete(r.strays, f.Agent) // there may be more
	}
	return append(found, some...), errors.Join(err, searchErr)
}

// suspects are the agents whose queue hold more than their lanes count, twice in a row,
// and either the same number or what lies below an ack floor. Chance alone seldom does
// that, and costs a search if it does.
func (r *Rescuer) suspects(s Survey) []string {
	var out []string
	strays := make(map[string]stray, len(r.strays))
	for i := 0; i+laneCount <= len(s.Lanes); i += laneCount {
		lanes := s.Lanes[i : i+laneCount]
		agent := lanes[0].Agent
		q, ok := s.Stream(RequestStream(agent))
		if !ok || q.Problem != "" {
			continue
		}
		now := stray{messages: int64(q.Messages)} //nolint:gosec // a stream has no such number of messages
		below := false
		for _, l := range lanes {
			now.messages -= int64(l.Lag) //nolint:gosec // as above
			below = below || l.floor >= q.FirstSequence
		}
		before := r.strays[agent]
		now.rest = max(before.rest-1, 0)
		if now.messages > 0 && before.messages > 0 && (below || now.messages == before.messages) && now.rest == 0 {
			out = append(out, agent)
			now.rest = searchRest
		}
		if now.messages > 0 {
			strays[agent] = now
		}
	}
	r.strays = strays
	return out
}

// readAdvisories rescues what the broker says that it gave up.
func (r *Rescuer) readAdvisories(ctx context.Context, s Survey) ([]Rescued, error) {
	var news []advisory
	var err error
	switch t, ok := s.Stream(StreamAdvisories); {
	case !ok:
	case t.LastSequence < r.read: // it was made anew
		r.read = 0
		fallthrough
	case t.LastSequence > r.read:
		news, r.read, err = r.bus.givenUp(ctx, r.read)
	}
	var found []Rescued
	var again []advisory
	for _, a := range append(r.again, news...) {
		agent, ok := AgentOfStream(a.Stream)
		q, there := s.Stream(a.Stream)
		if !ok || !there || a.Sequence <= q.LastSequence && (q.Messages == 0 || a.Sequence < q.FirstSequence) {
			continue // it is gone; what the survey does not know, because it is older or could not read, may be there
		}
		out, stranded, failure := r.bus.rescueGivenUp(ctx, agent, a)
		if stranded {
			found = append(found, out)
			failure = out.Err
		}
		if failure != nil && len(again) < maxAgain {
			again = append(again, a)
		}
		if !stranded {
			err = errors.Join(err, failure)
		}
	}
	r.again = again
	return found, err
}

// rescueGivenUp rescues the message that an advisory names, if it is there and nobody
// will deliver it: its consumer is still the one that gave it up. It does not matter
// whether the consumer's limit was lifted since.
func (b *Bus) rescueGivenUp(ctx context.Context, agent string, a advisory) (Rescued, bool, error) {
	msg, err := b.leaderMessage(ctx, a.Stream, fmt.Appendf(nil, `{"seq":%d}`, a.Sequence))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Rescued{}, false, nil
	}
	if err != nil {
		return Rescued{}, false, readError("read a request that was given up", err)
	}
	lane := Lane(a.Consumer)
	if !strings.HasPrefix(msg.Subject, RequestSubject(agent, lane, "")) || !slices.Contains(Lanes(), lane) {
		return Rescued{}, false, nil // given up by another's consumer; its lane will tell
	}
	r, err := b.newRescue(ctx, agent)
	if err != nil {
		return Rescued{}, false, err
	}
	c, err := r.consumer(ctx, lane)
	if err != nil || c == nil || c.Created.After(a.Time) || c.Delivered.Stream < a.Sequence {
		return Rescued{}, false, err
	}
	if err := r.putRight(ctx, lane, c); err != nil {
		return Rescued{}, false, err
	}
	reason := fmt.Sprintf("its %s consumer had a limit of deliveries (MaxDeliver) and gave it up after %d", lane, a.Deliveries)
	return r.message(ctx, lane, msg, reason, a.Deliveries), true, nil
}
