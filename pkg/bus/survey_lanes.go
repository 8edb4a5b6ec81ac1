package bus

import (
	"slices"

	"github.com/nats-io/nats.go"
)

const laneCount = 2

// queueSurvey is one request stream in a survey.
type queueSurvey struct {
	agent string
	state *streamState
	lanes [laneCount]LaneSurvey
}

// addQueue adds a request stream with lanes of which nothing is known yet.
func (s *survey) addQueue(agent string) *queueSurvey {
	q := &queueSurvey{agent: agent}
	for i, lane := range Lanes() {
		q.lanes[i] = LaneSurvey{Agent: agent, Lane: lane}
	}
	s.queues = append(s.queues, q)
	return q
}

// askLanes asks for the consumers of a request stream.
func (s *survey) askLanes(agent string, state *streamState) {
	q := s.addQueue(agent)
	q.state = state
	for i := range q.lanes {
		q.lanes[i].asked++
	}
	s.volley.ask("$JS.API.CONSUMER.LIST."+state.Config.Name, nil, func(msg *nats.Msg) {
		list, err := readAnswer[consumerPage](msg)
		for i := range q.lanes {
			l := &q.lanes[i]
			l.asked--
			name := string(l.Lane)
			k := slices.IndexFunc(list.Consumers, func(c consumerState) bool { return c.Name == name })
			switch {
			case err != nil:
				l.Problem = err.Error()
			case slices.Contains(list.Missing, name):
				l.Problem = "no server leads its consumer"
				if why := list.Offline[name]; why != "" {
					l.Problem = why
				}
			case k < 0:
				l.Missing = true
			default:
				l.read(&list.Consumers[k])
			}
		}
		s.askAges(q)
	})
}

func (l *LaneSurvey) read(c *consumerState) {
	l.Pending, l.InFlight, l.Redelivered, l.Paused = c.Pending, c.InFlight, c.Redelivered, c.Paused
	l.Lag, l.floor = c.Pending+c.InFlight, c.AckFloor.Stream
	if c.InFlight == 0 {
		l.floor = max(l.floor, c.Delivered.Stream)
	}
}

// strays is how many messages a stream holds beyond those that its lanes count, below 0
// when they count more: the two were not read at the same time.
func (q *queueSurvey) strays() int64 {
	n := int64(q.state.State.Messages) //nolint:gosec // a stream has no such number of messages
	for i := range q.lanes {
		n -= int64(q.lanes[i].Lag) //nolint:gosec // as above
	}
	return n
}
