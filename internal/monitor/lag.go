package monitor

import (
	"errors"
	"maps"
	"slices"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// What keeps a monitor from telling how much work there is.
var (
	errNoRound = errors.New("nothing was seen yet: come back in a moment")
	errNoBus   = errors.New("the message bus cannot be reached: nobody can tell until it is back")
)

// lag reports on one agent or, without a name, on all, with up to so many rounds of
// history. The error says why nobody knows; the report is empty then.
func (s *Server) lag(agent string, rounds int) (health.LagReport, error) {
	if err := s.blind(); err != nil {
		return health.LagReport{}, err
	}
	return s.lagKnown(agent, rounds), nil
}

// blind says why nobody knows how things are; nil: it is known.
func (s *Server) blind() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch broker := s.snapshot.Broker; {
	case s.made == 0:
		return errNoRound
	case !broker.Connected:
		return errNoBus
	case broker.Problem != "":
		return errors.New(broker.Problem)
	}
	return nil
}

// lagKnown is lag as it was when it was known last.
func (s *Server) lagKnown(agent string, rounds int) health.LagReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make(map[bus.Component]health.Standing)
	for _, standing := range s.standings() {
		states[standing.Component] = standing
	}
	r := health.LagReport{At: s.known.At, Interval: s.interval().Seconds(), Monitor: s.name, Agents: []health.AgentLag{}}
	for _, name := range slices.Sorted(maps.Keys(s.known.Agents)) {
		if agent != "" && agent != name {
			continue
		}
		a := s.known.Agents[name]
		l := health.AgentLag{
			Agent: name, State: bus.StateHealthy, Lag: a.Lag, OldestAge: a.OldestAge.Seconds(), ArrivalRate: rate(a.Arrival), ServiceRate: rate(a.Service),
			Workers: a.Workers, Slots: a.Slots, SlotsInUse: a.InUse, ErrorRate: a.ErrorRate(), DeadLetters: a.DeadLettersKept, Lanes: lanesOf(&a),
		}
		if drain, ok := drainTime(&a); ok {
			seconds := drain.Seconds()
			l.DrainTime = &seconds
		}
		if known, told := states[bus.Component{Kind: bus.KindAgent, Name: name}]; told {
			l.State, l.Reason = known.State, known.Reason
		}
		if at, ok := health.Recovery(s.known.At, &a); ok {
			l.EstimatedRecovery = &at
		}
		if rounds > 0 {
			l.History = s.history.of(name, rounds)
		}
		r.Agents = append(r.Agents, l)
	}
	return r
}

func lanesOf(a *health.Agent) []health.LaneLag {
	lanes := make([]health.LaneLag, 0, len(a.Lanes))
	for _, l := range a.Lanes {
		lanes = append(lanes, health.LaneLag{
			Lane: l.Name, Pending: l.Pending, InFlight: l.InFlight, Lag: l.Lag, Redelivered: l.Redelivered, OldestAge: l.OldestAge.Seconds(),
		})
	}
	return lanes
}

// drainTime is how long the lag takes to be worked off at the rate of the service; false
// when nobody can tell, and when nothing is worked off.
func drainTime(a *health.Agent) (time.Duration, bool) {
	switch {
	case a.Lag == 0:
		return 0, true
	case a.Service <= 0, a.Workers == 0:
		return 0, false
	}
	return time.Duration(min(float64(a.Lag)/a.Service, longestDrain.Seconds()) * float64(time.Second)), true
}

// longestDrain bounds a time to drain; beyond, its figure says nothing.
const longestDrain = 365 * 24 * time.Hour
