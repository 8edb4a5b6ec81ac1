package health

import (
	"iter"
	"maps"
	"slices"
	"time"

	"genesis/pkg/bus"
)

// A Check finds what is wrong in a snapshot, by one thing it looks at. Run has no
// effects, and what it returns is in order.
type Check struct {
	Name string
	Run  func(Snapshot, Thresholds) []Finding
}

// Checks are all there are, causes before what they cause.
func Checks() []Check {
	return []Check{
		{"broker", checkBroker},
		{"servers", checkServers},
		{"storage", checkStorage},
		{"stream", checkStream},
		{"replicas", checkReplicas},
		{"stream_full", checkStreamFull},
		{"breaker", checkBreaker},
		{"worker_lost", checkWorkerLost},
		{"queue", checkQueue},
		{"no_worker", checkNoWorker},
		{"ways", checkWays},
		{"oldest_age", checkOldestAge},
		{"lag", checkLag},
		{"drain_time", checkDrainTime},
		{"error_rate", checkErrorRate},
		{"dead_letters", checkDeadLetters},
		{"ledger", checkLedger},
	}
}

// A Round is what one look at the system comes to.
type Round struct {
	At      time.Time
	Elapsed time.Duration // since the round before; 0 when there is none to compare with
	// Blind says that the broker is away: nothing else was judged.
	Blind bool
	// WorkersKnown is the snapshot's.
	WorkersKnown bool
	// Verdicts are one for each component there is: the broker first, then streams,
	// breakers, workers, agents and the ledger, by name.
	Verdicts []Verdict
}

// A Verdict is how one component is in one round.
type Verdict struct {
	Component bus.Component
	// Unknown says that nobody can tell: what was known of it stands. The rest is empty.
	Unknown bool
	// Data is the state by the thresholds as they are, with its reason and figures.
	Data bus.HealthData
	// Findings are those it was made from, and those which only count for a component
	// that is in their state already.
	Findings []Finding

	well    string     // the reason of a healthy one
	drained *time.Time // when the work that waits will be done
}

// Judge runs all checks over a snapshot. It has no memory: see [Watch].
func Judge(s Snapshot, t Thresholds) Round {
	r := Round{At: s.At, Elapsed: s.Elapsed, Blind: s.blind() != "", WorkersKnown: s.WorkersKnown}
	s.away = s.serversAway()
	found := make(map[bus.Component][]Finding)
	for _, c := range Checks() {
		for _, f := range c.Run(s, t) {
			f.Check = c.Name
			found[f.Component] = append(found[f.Component], f)
		}
	}
	for _, c := range s.components(r.Blind) {
		if s.unknown(c) {
			r.Verdicts = append(r.Verdicts, Verdict{Component: c, Unknown: true})
			continue
		}
		v := Verdict{Component: c, Findings: found[c], well: s.wellness(c)}
		if c.Kind == bus.KindAgent {
			v.measure(s.At, s.Agents[c.Name])
		}
		v.weighed(weigh(v.Findings, strictly))
		r.Verdicts = append(r.Verdicts, v)
	}
	return r
}

// measure adds the figures of an agent.
func (v *Verdict) measure(at time.Time, a Agent) {
	age := a.OldestAge.Seconds()
	v.Data.Lag, v.Data.OldestAge = &a.Lag, &age
	if a.Arrival >= 0 {
		v.Data.ArrivalRate = &a.Arrival
	}
	if a.Service >= 0 {
		v.Data.ServiceRate = &a.Service
	}
	if end, drains := Recovery(at, &a); drains {
		v.drained = &end
	}
}

// weighed writes what the findings come to into the data.
func (v *Verdict) weighed(w weighing) {
	v.Data.State, v.Data.Reason, v.Data.AffectedServices = w.state, w.reason, w.affects
	v.Data.EstimatedRecovery = nil
	switch {
	case w.state == bus.StateHealthy:
		v.Data.Reason = v.well
	case w.backlog:
		v.Data.EstimatedRecovery = v.drained
	}
}

// components are those that there is something to say of, in the order of [Round].
func (s *Snapshot) components(blind bool) []bus.Component {
	all := []bus.Component{NATS()}
	if blind {
		return all
	}
	add := func(kind bus.HealthKind, names []string) {
		for _, name := range names {
			all = append(all, bus.Component{Kind: kind, Name: name})
		}
	}
	add(bus.KindStream, slices.Sorted(maps.Keys(s.Streams)))
	add(bus.KindBreaker, slices.Sorted(maps.Keys(s.Breakers)))
	add(bus.KindWorker, slices.Sorted(maps.Keys(s.Workers)))
	add(bus.KindAgent, slices.Sorted(maps.Keys(s.Agents)))
	if s.Ledger != nil {
		all = append(all, ledger())
	}
	return all
}

// NATS is the broker as a component.
func NATS() bus.Component { return bus.Component{Kind: bus.KindDependency, Name: "nats"} }

func ledger() bus.Component { return bus.Component{Kind: bus.KindSystem, Name: "ledger"} }
func agent(name string) bus.Component {
	return bus.Component{Kind: bus.KindAgent, Name: name}
}

// streamsJudged are the streams that this round can say something of, in order.
func (s *Snapshot) streamsJudged() iter.Seq2[string, Stream] {
	return judged(s, bus.KindStream, s.Streams)
}

// agentsJudged are the agents that this round can say something of, in order.
func (s *Snapshot) agentsJudged() iter.Seq2[string, Agent] {
	return judged(s, bus.KindAgent, s.Agents)
}

func judged[T any](s *Snapshot, kind bus.HealthKind, all map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		if s.blind() != "" {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !s.unknown(bus.Component{Kind: kind, Name: name}) && !yield(name, all[name]) {
				return
			}
		}
	}
}
