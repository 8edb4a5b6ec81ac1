package monitor

import (
	"slices"
	"time"

	"genesis/internal/health"
	"genesis/internal/monitor/console"
	"genesis/pkg/bus"
)

// pageRounds is how many rounds of history the page shows.
const pageRounds = 100

// view is what the page shows.
func (s *Server) view() console.View {
	o := s.overview()
	report := s.lagKnown("", pageRounds) // while nobody knows, what was known last
	s.mu.Lock()
	v := console.View{
		Status: console.State(o.Status), Message: o.Message, Since: s.since(), Watched: s.started,
		Monitor: console.Monitor{Name: s.name, Leading: s.leading.Load(), Leader: s.leader.Holder, Since: s.leader.Since},
		Round:   console.Round{Last: s.looked, Interval: s.interval(), Stale: s.stale()},
	}
	states := make(map[bus.Component]health.Standing)
	for _, known := range s.standings() {
		states[known.Component] = known
	}
	v.Streams = streamViews(s.known.Streams, states)
	problem := s.snapshot.Broker.Problem
	s.mu.Unlock()
	connected, since := s.link.State()
	v.Broker = console.Broker{Connected: connected, Since: since, Problem: problem, Server: s.bus.Conn().ConnectedUrlRedacted()}
	for _, a := range report.Agents {
		v.Agents = append(v.Agents, agentView(&a, states[bus.Component{Kind: bus.KindAgent, Name: a.Agent}].Since))
	}
	for _, b := range s.breakersView() {
		v.Breakers = append(v.Breakers, console.Breaker{
			Provider: b.Service, Open: b.Open, HalfOpen: b.HalfOpen, Closed: b.Closed, Isolated: b.Isolated, Reason: b.Reason, Agents: b.Agents,
		})
	}
	for _, w := range s.workersView() {
		worker := console.Worker{Name: w.Name, Version: w.Version, Started: w.Started, Agents: w.Agents, Slots: w.Slots, InUse: w.InUse, Draining: w.Draining}
		if w.Lost != nil {
			worker.Lost = *w.Lost
		}
		v.Workers = append(v.Workers, worker)
	}
	for _, g := range s.tally.largest(maxGroups) {
		v.DeadLetters = append(v.DeadLetters, console.DeadLetters(g))
	}
	for _, e := range s.feed.last(50) {
		v.Events = append(v.Events, console.Event{
			Time: e.Time, Component: e.Component.String(), State: console.State(e.Data.State), Previous: console.State(e.Data.Previous), Reason: e.Data.Reason,
		})
	}
	return v
}

// since is when the last component changed. s.mu is held.
func (s *Server) since() time.Time {
	var last time.Time
	for _, known := range s.standings() {
		if known.Since.After(last) {
			last = known.Since
		}
	}
	return last
}

func agentView(a *health.AgentLag, since time.Time) console.Agent {
	v := console.Agent{
		Name: a.Agent, State: console.State(a.State), Reason: a.Reason, Since: since,
		Lag: a.Lag, OldestAge: duration(a.OldestAge), Arrival: orUnknown(a.ArrivalRate), Service: orUnknown(a.ServiceRate), Drain: unknown,
		Slots: a.Slots, InUse: a.SlotsInUse, Workers: a.Workers, ErrorRate: a.ErrorRate, DeadLetters: a.DeadLetters,
	}
	if a.DrainTime != nil {
		v.Drain = duration(*a.DrainTime)
	}
	if a.EstimatedRecovery != nil {
		v.Recovery = *a.EstimatedRecovery
	}
	for _, l := range a.Lanes {
		v.Lanes = append(v.Lanes, console.Lane{Name: string(l.Lane), Lag: l.Lag, OldestAge: duration(l.OldestAge)})
	}
	for _, p := range a.History {
		v.History = append(v.History, p.Lag)
	}
	return v
}

func streamViews(streams map[string]health.Stream, states map[bus.Component]health.Standing) []console.Stream {
	views := make([]console.Stream, 0, len(streams))
	for name, stream := range streams {
		full := unknown
		if stream.MaxMessages > 0 || stream.MaxBytes > 0 {
			full = stream.Full()
		}
		known := states[bus.Component{Kind: bus.KindStream, Name: name}]
		v := console.Stream{
			Name: name, State: console.Healthy, Messages: stream.Messages, Bytes: stream.Bytes, Full: full, Offline: stream.Offline,
		}
		if known.State.Rank() > 0 {
			v.State, v.Reason = console.State(known.State), known.Reason
		}
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b console.Stream) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return views
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func orUnknown(rate *float64) float64 {
	if rate == nil {
		return unknown
	}
	return *rate
}
