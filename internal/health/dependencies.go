package health

import (
	"maps"
	"slices"

	"genesis/pkg/bus"
)

// What explains what: the cause is told, and not what follows from it.

// blind says why nothing but the broker can be judged; empty: it can.
func (s *Snapshot) blind() string {
	switch {
	case !s.Broker.Connected && s.Broker.Since.IsZero():
		return "it cannot be reached"
	case !s.Broker.Connected:
		return "it cannot be reached since " + moment(s.Broker.Since)
	case s.Broker.Problem != "":
		return clip(s.Broker.Problem)
	}
	clustered := 0
	for _, st := range s.Streams {
		if !st.Clustered || st.Missing {
			continue
		}
		if st.Leader != "" {
			return ""
		}
		clustered++
	}
	if clustered > 0 {
		return "none of its " + count(clustered, "stream") + " has a leader"
	}
	return ""
}

// unknown tells that nobody can say how a component is, because of something else that
// is told.
func (s *Snapshot) unknown(c bus.Component) bool {
	switch c.Kind {
	case bus.KindAgent:
		return !s.WorkersKnown || s.queueDown(c.Name) || len(s.serversAway()) > 0 && s.Agents[c.Name].Problem != ""
	case bus.KindBreaker, bus.KindWorker:
		return !s.WorkersKnown
	case bus.KindStream:
		st := s.Streams[c.Name]
		return st.leaderless() && len(s.serversAway()) > 0
	case bus.KindDependency, bus.KindSystem:
	}
	return false
}

// queueDown tells that an agent's queue is out of use, which is told of its stream.
func (s *Snapshot) queueDown(agent string) bool {
	if s.sorted != nil {
		return s.sorted.down[agent]
	}
	return s.streamDown(bus.RequestStream(agent))
}

// streamDown tells that a stream is out of use, which is told of the stream.
func (s *Snapshot) streamDown(name string) bool {
	st, ok := s.Streams[name]
	return ok && (st.Missing || st.Problem != "" || st.leaderless())
}

func (s *Stream) leaderless() bool { return s.Clustered && !s.Missing && s.Leader == "" }

// serversAway are the servers that more than one stream misses, sorted, and those that
// are known to be away though none does. What a single stream misses is told of the
// stream.
func (s *Snapshot) serversAway() []string {
	if s.sorted != nil {
		return s.sorted.away
	}
	missed := make(map[string]int)
	for _, st := range s.Streams {
		for _, server := range st.Offline {
			missed[server]++
		}
	}
	for _, server := range s.Broker.Offline {
		if missed[server] == 0 {
			missed[server] = 2
		}
	}
	maps.DeleteFunc(missed, func(_ string, n int) bool { return n < 2 })
	return slices.Sorted(maps.Keys(missed))
}

// explained tells that requests of the agent wait for a reason that is told already.
func (s *Snapshot) explained(name string, a *Agent) bool {
	return s.unknown(agent(name)) || a.Problem != "" || a.Workers == 0 || s.shut(a) == len(a.Ways) && len(a.Ways) > 0
}

// shut counts the ways of an agent that are shut, from the first on: up to the first
// that is not.
func (s *Snapshot) shut(a *Agent) int {
	for i, way := range a.Ways {
		b, ok := s.Breakers[way]
		if way == "" || !ok || !b.Shut() {
			return i
		}
	}
	return len(a.Ways)
}

// users are the agents that suffer when a stream is out of use, sorted.
func (s *Snapshot) users(stream string) []string {
	if name, is := bus.AgentOfStream(stream); is {
		return []string{name}
	}
	if stream == bus.StreamResults || stream == bus.StreamDeadLetters {
		return s.everyone()
	}
	return nil
}

// everyone are all agents, sorted.
func (s *Snapshot) everyone() []string {
	all := append(slices.Collect(maps.Keys(s.Agents)), s.Configured...)
	slices.Sort(all)
	return slices.Compact(all)
}
