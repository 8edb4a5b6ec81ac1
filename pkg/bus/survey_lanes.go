package bus

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// consumerState is what a survey reads of a consumer.
type consumerState struct {
	Name     string `json:"name"`
	AckFloor struct {
		Stream uint64 `json:"stream_seq"`
	} `json:"ack_floor"`
	InFlight    uint64 `json:"num_ack_pending"`
	Redelivered uint64 `json:"num_redelivered"`
	Pending     uint64 `json:"num_pending"`
	Paused      bool   `json:"paused"`
}

// readLanes reads the consumers of all request streams, some streams at a time. The
// lanes of a stream have their places, so that nothing needs to be sorted.
func (s *survey) readLanes(ctx context.Context) {
	known := len(s.result.Lanes)
	s.result.Lanes = append(s.result.Lanes, make([]LaneSurvey, len(s.queues)*len(Lanes()))...)
	lanes := s.result.Lanes[known:]
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(surveyWidth, len(s.queues)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(s.queues); i = int(next.Add(1)) - 1 {
				s.bus.surveyQueue(ctx, &s.queues[i], lanes[i*len(Lanes()):(i+1)*len(Lanes())])
			}
		})
	}
	wg.Wait()
	s.sortLanes()
}

// surveyQueue reads the lanes of one request stream.
func (b *Bus) surveyQueue(ctx context.Context, q *streamState, lanes []LaneSurvey) {
	agent, _ := AgentOfStream(q.Config.Name)
	for i, lane := range Lanes() {
		lanes[i] = LaneSurvey{Agent: agent, Lane: lane, Missing: true}
	}
	var list struct {
		apiAnswer
		Consumers []consumerState   `json:"consumers"`
		Missing   []string          `json:"missing"`
		Offline   map[string]string `json:"offline"`
	}
	if err := b.askBroker(ctx, "$JS.API.CONSUMER.LIST."+q.Config.Name, nil, &list); err != nil {
		for i := range lanes {
			lanes[i].Missing, lanes[i].Problem = false, err.Error()
		}
		return
	}
	floors := make([]uint64, len(lanes))
	for i := range lanes {
		l := &lanes[i]
		for _, name := range list.Missing {
			if name == string(l.Lane) {
				l.Missing, l.Problem = false, "no server leads its consumer "+list.Offline[name]
			}
		}
		for k := range list.Consumers {
			c := &list.Consumers[k]
			if c.Name == string(l.Lane) && l.Problem == "" {
				l.Missing, l.Pending, l.InFlight, l.Redelivered, l.Paused = false, c.Pending, c.InFlight, c.Redelivered, c.Paused
				l.Lag = l.Pending + l.InFlight
				floors[i] = c.AckFloor.Stream
			}
		}
	}
	for i := range lanes {
		b.surveyAge(ctx, q, lanes, floors, i)
	}
}

// surveyAge finds out how old the oldest message of a lane is.
func (b *Bus) surveyAge(ctx context.Context, q *streamState, lanes []LaneSurvey, floors []uint64, i int) {
	l := &lanes[i]
	if l.Lag == 0 {
		return
	}
	at, err := b.oldest(ctx, q.Config.Name, RequestSubject(l.Agent, l.Lane, "*"), floors[i]+1)
	switch {
	case err == nil:
		l.OldestAge = max(q.At.Sub(at), 0)
	case !errors.Is(err, ErrNotFound): // it was settled meanwhile
		l.Problem = err.Error()
	}
}

// oldest is when the first message at or after a sequence was stored.
func (b *Bus) oldest(ctx context.Context, stream, subject string, from uint64) (time.Time, error) {
	ask := strconv.AppendUint([]byte(`{"seq":`), from, 10)
	ask = append(ask, `,"next_by_subj":"`...)
	ask = append(append(ask, subject...), `"}`...)
	resp, err := b.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream, ask)
	if err != nil {
		return time.Time{}, readError("read the oldest request", err)
	}
	switch status := resp.Header.Get("Status"); status {
	case "":
		return parseTime(resp.Header.Get("Nats-Time-Stamp")), nil
	case "404":
		return time.Time{}, ErrNotFound
	default:
		return time.Time{}, readError("read the oldest request", errors.New(status+" "+resp.Header.Get("Description")))
	}
}
