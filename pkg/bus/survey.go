package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Survey is one look at everything that the broker keeps for Genesis.
type Survey struct {
	// At is when it was taken, by the broker's clock, as all ages in it are.
	At time.Time `json:"at"`
	// Streams are those of Genesis, buckets included, sorted by name.
	Streams []StreamSurvey `json:"streams"`
	// Lanes are both lanes of each request stream, sorted by agent, the more urgent first.
	Lanes []LaneSurvey `json:"lanes"`
	// Storage is what the account keeps on disk, and its limit; 0 or below is none.
	Storage      int64 `json:"storage"`
	StorageLimit int64 `json:"storage_limit"`
	// Server is the name of the server that this program is connected to; Cluster that of
	// its cluster, empty without one.
	Server  string `json:"server"`
	Cluster string `json:"cluster"`
}

// A StreamSurvey is one stream.
type StreamSurvey struct {
	Name          string    `json:"name"`
	Messages      uint64    `json:"messages"`
	Bytes         uint64    `json:"bytes"`
	FirstSequence uint64    `json:"first_sequence"`
	LastSequence  uint64    `json:"last_sequence"`
	FirstTime     time.Time `json:"first_time"` // of the oldest message; zero without any
	// MaxMessages and MaxBytes are the limits; 0 or below is none. DiscardOld says that
	// the oldest message gives way at a limit.
	MaxMessages int64 `json:"max_messages"`
	MaxBytes    int64 `json:"max_bytes"`
	DiscardOld  bool  `json:"discard_old"`
	// Replicas should hold it. In a cluster, Leader is the server that leads it, empty
	// when none does, and Offline names the replicas that are away or far behind, sorted.
	Replicas  int      `json:"replicas"`
	Clustered bool     `json:"clustered"`
	Leader    string   `json:"leader"`
	Offline   []string `json:"offline"`
	// Problem says why the stream could not be read; empty: it was. Its figures are then
	// not known, and 0.
	Problem string `json:"problem,omitempty"`
}

// A LaneSurvey is one lane of one agent.
type LaneSurvey struct {
	Agent string `json:"agent"`
	Lane  Lane   `json:"lane"`
	// Pending, InFlight, Lag, Redelivered and OldestAge are as in [Lag], except that a
	// lane without lag has no age, even if a message was left behind in it.
	Pending     uint64        `json:"pending"`
	InFlight    uint64        `json:"in_flight"`
	Lag         uint64        `json:"lag"`
	Redelivered uint64        `json:"redelivered"`
	OldestAge   time.Duration `json:"oldest_age_ns"`
	// Paused says that the consumer delivers nothing until somebody resumes it.
	Paused bool `json:"paused"`
	// Missing says that the lane has no consumer, so that nobody counts what waits: the
	// figures are not known, and 0.
	Missing bool `json:"missing"`
	// Problem says why the consumer, or the oldest message, could not be read; empty: it
	// was. What is not known is 0.
	Problem string `json:"problem,omitempty"`

	asked int    // questions without an answer
	floor uint64 // its consumer has passed everything up to this sequence, see [Bus.Rescue]
}

// Stream finds a stream by its name.
func (s *Survey) Stream(name string) (StreamSurvey, bool) {
	i, ok := slices.BinarySearchFunc(s.Streams, name, func(t StreamSurvey, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return StreamSurvey{}, false
	}
	return s.Streams[i], true
}

// Survey looks at every stream of Genesis, every lane's consumer and the account. The
// work grows with their number, not with what they hold. What does not answer is in
// the survey with its Problem; [ErrUnavailable] only says that nothing could be told,
// at most six seconds later.
func (b *Bus) Survey(ctx context.Context) (Survey, error) {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	v, err := b.newVolley()
	if err != nil {
		return Survey{}, fmt.Errorf("survey: %w", err)
	}
	defer v.close()
	s := &survey{bus: b, volley: v}
	s.askStreams(0)
	s.askAccount()
	err = v.run(ctx)
	if s.failure != nil {
		err = s.failure
	}
	if s.failure != nil || s.missing > 0 {
		return Survey{}, fmt.Errorf("survey: %w", err)
	}
	return s.finish(), nil // if some did not answer, all the others did
}

// surveyTimeout bounds a survey. In a cluster the broker itself waits 4 s for the
// leaders of its streams before it lists the others.
const surveyTimeout = 6 * time.Second

// A survey is one in the making.
type survey struct {
	bus    *Bus
	volley *volley
	result Survey
	queues []*queueSurvey
	// missing is how many answers are still to come without which nothing can be told;
	// failure is why nothing can be.
	missing int
	failure error
}

func (s *survey) fail(what string, err error) {
	if s.failure == nil {
		s.failure = fmt.Errorf("%s: %w", what, err)
	}
}

// finish puts everything into its order: answers come in any.
func (s *survey) finish() Survey {
	r := &s.result
	r.Server, r.Cluster = s.bus.nc.ConnectedServerName(), s.bus.nc.ConnectedClusterName()
	slices.SortFunc(r.Streams, func(a, b StreamSurvey) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.queues, func(a, b *queueSurvey) int { return strings.Compare(a.agent, b.agent) })
	r.Lanes = make([]LaneSurvey, 0, laneCount*len(s.queues))
	for _, q := range s.queues {
		for _, l := range q.lanes {
			if l.asked > 0 {
				l.Problem = "the broker did not answer in time"
			}
			r.Lanes = append(r.Lanes, l)
		}
	}
	s.bus.oldest.keep(len(r.Lanes))
	return *r
}
