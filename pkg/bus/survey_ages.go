package bus

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// askAges finds out how old the oldest request of each lane is. The stream tells when
// its first message came: whose that is, is often plain, and then nobody needs to be
// asked. A message at or below the floor of its lane does not count: no consumer will
// deliver it (see [Bus.Rescue]).
func (s *survey) askAges(q *queueSurvey) {
	first := q.state.State.FirstSequence
	sure := true // that the first message is one that a lane counts
	var owners, others []*LaneSurvey
	for i := range q.lanes {
		l := &q.lanes[i]
		sure = sure && (l.floor < first || q.strays() <= 0)
		switch {
		case l.Lag > 0 && l.floor < first:
			owners = append(owners, l)
		case l.Lag > 0:
			others = append(others, l)
		}
	}
	if !sure {
		others, owners = append(others, owners...), nil
	}
	switch len(owners) {
	case 1:
		owners[0].OldestAge = q.age(q.state.State.FirstTime)
	case 2:
		// The one that was settled further hardly has it; unless it does, the other one has.
		a, b := owners[0], owners[1]
		if a.floor > b.floor {
			a, b = b, a
		}
		s.askAge(q, b, func(sequence uint64) {
			if sequence == first {
				s.askAge(q, a, nil)
			} else {
				a.OldestAge = q.age(q.state.State.FirstTime)
			}
		})
	}
	for _, l := range others {
		s.askAge(q, l, nil)
	}
}

// askAge asks for the first message of a lane above its floor, unless it is known.
// then, if given, is called with its sequence, 0 when there is none any more.
func (s *survey) askAge(q *queueSurvey, l *LaneSurvey, then func(sequence uint64)) {
	finish := func(o oldest) {
		if o.sequence > 0 {
			l.OldestAge = q.age(o.stored)
		}
		if then != nil {
			then(o.sequence)
		}
	}
	subject := RequestSubject(l.Agent, l.Lane, "*")
	if known, ok := s.bus.oldest.get(subject, q.state, l.floor); ok {
		finish(known)
		return
	}
	l.asked++
	s.volley.ask("$JS.API.DIRECT.GET."+q.state.Config.Name, nextBySubject(l.floor+1, subject), func(msg *nats.Msg) {
		l.asked--
		o, err := readOldest(msg)
		switch {
		case err == nil:
			s.bus.oldest.put(subject, q.state, o)
		case !errors.Is(err, ErrNotFound): // it was settled meanwhile
			l.Problem = err.Error()
		}
		finish(o)
	})
}

// age is how old what was stored then is, by the broker's clock.
func (q *queueSurvey) age(stored time.Time) time.Duration { return max(q.state.At.Sub(stored), 0) }

// An oldest is the first message of a lane, and when it was stored.
type oldest struct {
	sequence uint64
	stored   time.Time
	// created and removed are those of its stream, when it was read: while nothing was
	// removed, it is there.
	created time.Time
	removed uint64
	uses    int // since something was removed
}

// maxUses is how often an oldest message is believed in after something was removed.
const maxUses = 10

// oldestMessages remembers the first message of each lane from one survey to the next.
// Reading one makes the broker read the block of its file where it lies, up to
// megabytes of it, and in a queue that is stuck it is the same one each time.
type oldestMessages struct {
	mu     sync.Mutex
	byLane map[string]oldest // by the lane's subject
}

// get is the first message of a lane, if it is still known. It is not once its lane's
// floor, or the stream's first message, has come past it. Once something was removed, that
// might have been this very message, cancelled before it was delivered: then it is
// believed in for a few surveys only.
func (o *oldestMessages) get(subject string, s *streamState, floor uint64) (oldest, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.byLane[subject]
	if !ok || known.sequence <= floor || known.sequence < s.State.FirstSequence || !known.created.Equal(s.Created) {
		return oldest{}, false
	}
	if s.removed() != known.removed {
		known.uses++
		o.byLane[subject] = known
	}
	return known, known.uses <= maxUses
}

func (o *oldestMessages) put(subject string, s *streamState, found oldest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byLane == nil {
		o.byLane = make(map[string]oldest)
	}
	found.created, found.removed = s.Created, s.removed()
	o.byLane[subject] = found
}

// keep forgets everything when there is far more than so many lanes can need: their
// agents are gone.
func (o *oldestMessages) keep(lanes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.byLane) > 2*lanes {
		clear(o.byLane)
	}
}

// removed counts the messages that have left the stream since it was made.
func (s *streamState) removed() uint64 {
	return s.State.LastSequence - min(s.State.Messages, s.State.LastSequence)
}

// nextBySubject asks for the first message of a subject at or after a sequence.
func nextBySubject(from uint64, subject string) []byte {
	return fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q}`, from, subject)
}

// readOldest reads where and when a message that was asked for is stored. Errors:
// [ErrNotFound], [ErrUnavailable].
func readOldest(msg *nats.Msg) (oldest, error) {
	switch status := msg.Header.Get("Status"); status {
	case "":
		return oldest{sequence: parseUint(msg.Header.Get("Nats-Sequence")), stored: parseTime(msg.Header.Get("Nats-Time-Stamp"))}, nil
	case "404":
		return oldest{}, ErrNotFound
	default:
		return oldest{}, fmt.Errorf("read the oldest request: %w: the broker answered %s %s", ErrUnavailable, status, msg.Header.Get("Description"))
	}
}
