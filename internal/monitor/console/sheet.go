package console

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// How many rows of a kind are shown; the page says how many it leaves out.
const (
	maxAgents   = 1000
	maxCharts   = 100 // of agents, the first ones
	maxWorkers  = 200
	maxBreakers = 200
	maxStreams  = 100
	maxLetters  = 50
	maxEvents   = 50
	maxListed   = 20 // names within a row
)

// A sheet is a View made fit for the templates: cleaned, put in order, cut and counted.
type sheet struct {
	View
	Version, Build string // of the program, of the page
	Now            time.Time
	Rows           []agentRow
	Tally          tally
	More           more
}

// An agentRow is an agent with its chart, if it has one.
type agentRow struct {
	Agent
	Chart *chart
}

// more counts the rows left out.
type more struct{ Agents, Workers, Breakers, Streams, Letters, Events int }

// newSheet makes the sheet of a View, which it leaves as it is.
func newSheet(v View, now time.Time) *sheet {
	s := &sheet{View: v, Now: now, Tally: tallyOf(v)}
	s.Message = clean(v.Message, maxText)
	s.Broker.Problem, s.Broker.Server = clean(v.Broker.Problem, maxText), clean(v.Broker.Server, maxName)
	s.Monitor.Name, s.Monitor.Leader = name(v.Monitor.Name), clean(v.Monitor.Leader, maxName)
	s.Agents, s.More.Agents = first(v.Agents, maxAgents, byNeed)
	s.Breakers, s.More.Breakers = first(v.Breakers, maxBreakers, byShut)
	s.Workers, s.More.Workers = first(v.Workers, maxWorkers, byPresence)
	s.Streams, s.More.Streams = first(v.Streams, maxStreams, byFull)
	s.DeadLetters, s.More.Letters = first(v.DeadLetters, maxLetters, byLast)
	s.Events, s.More.Events = first(v.Events, maxEvents, byTime)
	s.clean()
	s.Rows = make([]agentRow, len(s.Agents))
	for i, a := range s.Agents {
		s.Rows[i].Agent = a
		if i < maxCharts {
			s.Rows[i].Chart = draw(a.History)
		}
	}
	return s
}

func (s *sheet) clean() {
	for i := range s.Agents {
		a := &s.Agents[i]
		a.Name, a.Reason = name(a.Name), clean(a.Reason, maxText)
		a.Lanes = slices.Clone(a.Lanes[:min(len(a.Lanes), maxListed)])
		for j := range a.Lanes {
			a.Lanes[j].Name = name(a.Lanes[j].Name)
		}
	}
	for i := range s.Breakers {
		b := &s.Breakers[i]
		b.Provider, b.Reason, b.Agents = name(b.Provider), clean(b.Reason, maxText), names(b.Agents)
	}
	for i := range s.Workers {
		w := &s.Workers[i]
		w.Name, w.Version, w.Agents = name(w.Name), clean(w.Version, maxName), names(w.Agents)
	}
	for i := range s.Streams {
		t := &s.Streams[i]
		t.Name, t.Reason, t.Offline = name(t.Name), clean(t.Reason, maxText), names(t.Offline)
	}
	for i := range s.DeadLetters {
		d := &s.DeadLetters[i]
		d.Fingerprint, d.Agent = name(d.Fingerprint), name(d.Agent)
		d.Reason, d.Error = clean(d.Reason, maxName), clean(d.Error, maxText)
	}
	for i := range s.Events {
		e := &s.Events[i]
		e.Component, e.Reason = name(e.Component), clean(e.Reason, maxText)
	}
}

// first sorts a copy of a list and cuts it; it returns how many were cut off.
func first[T any](list []T, most int, order func(a, b T) int) ([]T, int) {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, order)
	return sorted[:min(len(sorted), most)], max(0, len(sorted)-most)
}

// byNeed puts first who needs an operator; the rest keep their places from round to round.
func byNeed(a, b Agent) int {
	return cmp.Or(a.State.compare(b.State), strings.Compare(a.Name, b.Name))
}

func byShut(a, b Breaker) int {
	return cmp.Or(a.State().compare(b.State()), strings.Compare(a.Provider, b.Provider))
}

func byPresence(a, b Worker) int {
	return cmp.Or(a.State().compare(b.State()), strings.Compare(a.Name, b.Name))
}

// byFull compares whole percents, so that streams do not change places all the time.
func byFull(a, b Stream) int {
	return cmp.Or(a.State.compare(b.State), cmp.Compare(len(b.Offline), len(a.Offline)),
		cmp.Compare(int(100*b.Full), int(100*a.Full)), strings.Compare(a.Name, b.Name))
}

func byLast(a, b DeadLetters) int {
	return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.Fingerprint, b.Fingerprint), strings.Compare(a.Agent, b.Agent))
}

func byTime(a, b Event) int {
	return cmp.Or(b.Time.Compare(a.Time), strings.Compare(a.Component, b.Component))
}
