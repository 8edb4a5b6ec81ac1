package monitor

import (
	"math"
	"time"

	"genesis/pkg/bus"
)

// smoothing is over how long rates are averaged: long enough to tell what will be, and
// short enough to see what is.
const smoothing = 15 * time.Second

// unknown is a rate that nobody can tell.
const unknown = -1.0

// flow derives the rates of the agents from one survey to the next.
type flow struct {
	agents map[string]stage
}

// A stage is what had come and gone at the last survey, and the smoothed rates.
type stage struct {
	arrived, settled uint64
	arrival, service float64
}

func newFlow() *flow { return &flow{agents: map[string]stage{}} }

// rates are the arrival and the service of one agent in requests a second; unknown for
// the first survey, after its queue was made anew, and while it cannot be read. Every request in a queue's stream
// raises its last sequence, and leaves the stream when it is settled.
func (f *flow) rates(agent string, s bus.StreamSurvey, elapsed time.Duration) (arrival, service float64) {
	if s.Problem != "" { // its figures are not known, and 0
		delete(f.agents, agent)
		return unknown, unknown
	}
	now := stage{arrived: s.LastSequence, settled: s.LastSequence - min(s.Messages, s.LastSequence), arrival: unknown, service: unknown}
	before, seen := f.agents[agent]
	if seen && elapsed > 0 && now.arrived >= before.arrived && now.settled >= before.settled {
		now.arrival = smooth(before.arrival, now.arrived-before.arrived, elapsed)
		now.service = smooth(before.service, now.settled-before.settled, elapsed)
	}
	f.agents[agent] = now
	return now.arrival, now.service
}

// smooth is the exponential average of a rate, weighted by time.
func smooth(before float64, n uint64, elapsed time.Duration) float64 {
	rate := float64(n) / elapsed.Seconds()
	if before < 0 {
		return rate
	}
	weight := 1 - math.Exp(-elapsed.Seconds()/smoothing.Seconds())
	average := before + weight*(rate-before)
	if average < 0.001 {
		return 0
	}
	return average
}

// keep forgets the agents that are not there any more.
func (f *flow) keep(there func(agent string) bool) {
	for name := range f.agents {
		if !there(name) {
			delete(f.agents, name)
		}
	}
}

// forget forgets all: what passed meanwhile was not seen.
func (f *flow) forget() { clear(f.agents) }
