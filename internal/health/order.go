package health

import (
	"iter"
	"maps"
	"slices"

	"genesis/pkg/bus"
)

// An order is what a round needs more than once.
type order struct {
	agents, streams []string        // sorted
	away            []string        // servers
	down            map[string]bool // agents whose queue is out of use
}

func (s *Snapshot) order() *order {
	o := &order{
		agents: slices.Sorted(maps.Keys(s.Agents)), streams: slices.Sorted(maps.Keys(s.Streams)),
		away: s.serversAway(), down: map[string]bool{},
	}
	for _, name := range o.streams {
		if user, is := bus.AgentOfStream(name); is && s.streamDown(name) {
			o.down[user] = true
		}
	}
	return o
}

// streamsJudged are the streams that this round can say something of, in order.
func (s *Snapshot) streamsJudged() iter.Seq2[string, Stream] {
	if s.sorted != nil {
		return judged(s, bus.KindStream, s.Streams, s.sorted.streams)
	}
	return judged(s, bus.KindStream, s.Streams, slices.Sorted(maps.Keys(s.Streams)))
}

// agentsJudged are the agents that this round can say something of, in order.
func (s *Snapshot) agentsJudged() iter.Seq2[string, Agent] {
	if s.sorted != nil {
		return judged(s, bus.KindAgent, s.Agents, s.sorted.agents)
	}
	return judged(s, bus.KindAgent, s.Agents, slices.Sorted(maps.Keys(s.Agents)))
}

func judged[T any](s *Snapshot, kind bus.HealthKind, all map[string]T, names []string) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		if s.blind() != "" {
			return
		}
		for _, name := range names {
			if !s.unknown(bus.Component{Kind: kind, Name: name}) && !yield(name, all[name]) {
				return
			}
		}
	}
}
