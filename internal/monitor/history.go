package monitor

import "genesis/internal/health"

// history keeps the last rounds of every agent. It is guarded by its owner.
type history struct {
	limit  int
	agents map[string][]health.Point
}

func newHistory(limit int) *history {
	return &history{limit: limit, agents: map[string][]health.Point{}}
}

// add keeps a round that saw the agents, in place of the oldest one when there are enough.
func (h *history) add(s *health.Snapshot) {
	if !s.Broker.Connected || s.Broker.Problem != "" { // nobody knows which agents there are
		return
	}
	for name := range h.agents {
		if _, there := s.Agents[name]; !there {
			delete(h.agents, name)
		}
	}
	for name, a := range s.Agents {
		h.agents[name] = keepLast(append(h.agents[name], health.Point{
			At: s.At, Lag: a.Lag, OldestAge: a.OldestAge.Seconds(), ArrivalRate: rate(a.Arrival), ServiceRate: rate(a.Service),
		}), h.limit)
	}
}

// of is the history of an agent, the oldest first, at most n rounds.
func (h *history) of(agent string, n int) []health.Point {
	points := h.agents[agent]
	return append([]health.Point{}, points[len(points)-min(n, len(points)):]...)
}

// keepLast drops the first elements beyond a limit, in place.
func keepLast[T any](all []T, limit int) []T {
	if len(all) <= limit {
		return all
	}
	return all[:copy(all, all[len(all)-limit:])]
}

// rate is a rate as it is written: nil when it is not known.
func rate(r float64) *float64 {
	if r < 0 {
		return nil
	}
	return &r
}
