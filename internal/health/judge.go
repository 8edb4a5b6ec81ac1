package health

import (
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
		{"leaders", checkLeaders},
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
	// Early says that the round was made out of turn, because something happened: it
	// counts for what is certain only.
	Early bool
	// Blind says that the broker is away: nothing else was judged.
	Blind bool
	// WorkersKnown is the snapshot's.
	WorkersKnown bool
	// Verdicts are one for each component there is: the broker first, then streams,
	// breakers, workers, agents and the ledger, by name.
	Verdicts []Verdict

	snapshot *Snapshot
}

// A Verdict is how one component is in one round.
type Verdict struct {
	Component bus.Component
	// Unknown says that nobody can tell: what was known of it stands. The rest is empty.
	Unknown bool
	// Data is the state by the thresholds as they are, with its figures, and its reason
	// unless it is healthy.
	Data bus.HealthData
	// Findings are those it was made from, and those which only count for a component
	// that is in their state already.
	Findings []Finding

	drained *time.Time // when the work that waits will be done
}

// Judge runs all checks over a snapshot. It has no memory: see [Watch].
func Judge(s Snapshot, t Thresholds) Round {
	r := Round{At: s.At, Elapsed: s.Elapsed, Blind: s.blind() != "", WorkersKnown: s.WorkersKnown}
	s.sorted = s.order()
	found := make(map[bus.Component][]Finding)
	for _, c := range Checks() {
		for _, f := range c.Run(s, t) {
			f.Check = c.Name
			found[f.Component] = append(found[f.Component], f)
		}
	}
	r.snapshot = &s
	components := s.components(r.Blind)
	r.Verdicts = make([]Verdict, 0, len(components))
	for _, c := range components {
		if s.unknown(c) {
			r.Verdicts = append(r.Verdicts, Verdict{Component: c, Unknown: true})
			continue
		}
		v := Verdict{Component: c, Findings: found[c]}
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
	f := &struct {
		lag                   uint64
		age, arrival, service float64
	}{a.Lag, a.OldestAge.Seconds(), a.Arrival, a.Service}
	v.Data.Lag, v.Data.OldestAge = &f.lag, &f.age
	if f.arrival >= 0 {
		v.Data.ArrivalRate = &f.arrival
	}
	if f.service >= 0 {
		v.Data.ServiceRate = &f.service
	}
	if len(v.Findings) == 0 {
		return
	}
	if end, drains := Recovery(at, &a); drains {
		v.drained = &end
	}
}

// weighed writes what the findings come to into the data.
func (v *Verdict) weighed(w weighing) {
	v.Data.State, v.Data.Reason, v.Data.AffectedServices = w.state, w.reason, w.affects
	v.Data.EstimatedRecovery = nil
	if w.state != bus.StateHealthy && w.backlog {
		v.Data.EstimatedRecovery = v.drained
	}
}

// components are those that there is something to say of, in the order of [Round].
func (s *Snapshot) components(blind bool) []bus.Component {
	all := make([]bus.Component, 1, 2+len(s.Streams)+len(s.Breakers)+len(s.Workers)+len(s.Agents))
	all[0] = NATS()
	if blind {
		return all
	}
	add := func(kind bus.HealthKind, names []string) {
		for _, name := range names {
			all = append(all, bus.Component{Kind: kind, Name: name})
		}
	}
	add(bus.KindStream, s.sorted.streams)
	add(bus.KindBreaker, slices.Sorted(maps.Keys(s.Breakers)))
	add(bus.KindWorker, slices.Sorted(maps.Keys(s.Workers)))
	add(bus.KindAgent, s.sorted.agents)
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
