package health

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"genesis/pkg/bus"
)

func components() []bus.Component {
	return []bus.Component{
		NATS(),
		{Kind: bus.KindStream, Name: "s"},
		{Kind: bus.KindBreaker, Name: "b"},
		{Kind: bus.KindWorker, Name: "w"},
		agent("a"), agent("b"), ledger(),
	}
}

func state(rank int) bus.HealthState {
	return []bus.HealthState{bus.StateHealthy, bus.StateDegraded, bus.StateUnhealthy}[rank]
}

func drawFindings(t *rapid.T, c bus.Component) []Finding {
	var found []Finding
	for _, check := range []string{"one", "two"} {
		if keep := rapid.IntRange(0, 2).Draw(t, "keep"); keep > 0 {
			found = append(found, Finding{
				Component: c, Check: check, Reason: check, Keep: state(keep), State: state(rapid.IntRange(0, keep).Draw(t, "state")),
				Certain: rapid.IntRange(0, 3).Draw(t, "certain") == 0, Passing: rapid.IntRange(0, 5).Draw(t, "passing") == 0,
			})
		}
	}
	return found
}

func TestTheWatchDoesWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"a round of the leader": func(t *rapid.T) {
				for _, c := range m.round(t) {
					if rapid.IntRange(0, 4).Draw(t, "dies") > 0 {
						m.store(c.Event)
					}
				}
			},
			"a round of a follower": func(t *rapid.T) { m.round(t) },
			"another monitor tells": func(t *rapid.T) {
				c := rapid.SampledFrom(components()).Draw(t, "component")
				other := (m.pasts[c].rank() + rapid.IntRange(1, 2).Draw(t, "by")) % 3
				m.store(bus.HealthEvent{Component: c, Data: bus.HealthData{State: state(other)}})
			},
			"a restart": func(*rapid.T) { m.restart() },
		})
	})
}

// steady is a round of one agent at a rank.
func steady(rank int, elapsed time.Duration) Round {
	v := Verdict{Component: agent("a")}
	if rank > 0 {
		v.Findings = []Finding{{Component: v.Component, Check: "one", Reason: "one", State: state(rank), Keep: state(rank)}}
	}
	v.weighed(weigh(v.Findings, strictly))
	return Round{At: noon(), Elapsed: elapsed, WorkersKnown: true, Verdicts: []Verdict{v}}
}

// Whatever went before, a change that lasts is told within the patience there is, and once.
func TestEveryLastingChangeIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		for range rapid.IntRange(0, 60).Draw(t, "before") {
			for _, c := range m.round(t) {
				m.store(c.Event)
			}
		}
		rank, p := rapid.IntRange(0, 2).Draw(t, "then"), m.pasts[agent("a")]
		changes := 0
		for range 2 + max(m.worse, m.better, 64) {
			for _, c := range m.observe(steady(rank, time.Second)) {
				if c.Component == agent("a") {
					changes++
				}
				m.store(c.Event)
			}
		}
		if got := p.rank(); got != rank || changes > 1 {
			t.Fatalf("got %s after %d changes, want %s after one at most", state(got), changes, state(rank))
		}
	})
}

// The bound of flapping: each relapse costs twice as many good rounds as the one before,
// up to 64, and there are at most four events from one to the next.
func TestFlappingIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		p := m.pasts[agent("a")]
		rounds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []int {
			return slices.Repeat([]int{rapid.IntRange(0, 2).Draw(t, "rank")}, rapid.IntRange(1, 70).Draw(t, "rounds"))
		}), 0, 40).Draw(t, "phases")
		n := 0
		for _, phase := range rounds {
			for _, rank := range phase {
				n++
				for _, c := range m.observe(steady(rank, 0)) { // all of it within an hour
					m.store(c.Event)
				}
			}
		}
		relapses, spent, need := 0, 0, m.better
		for spent+need <= n {
			spent, need, relapses = spent+need, min(2*need, 64), relapses+1
		}
		if got, most := len(p.events), 4*(relapses+1); got > most {
			t.Fatalf("%d rounds: got %d events, want at most %d", n, got, most)
		}
	})
}

// A signal that is never good for longer than a few rounds falls silent.
func TestASignalThatFlapsForHoursIsAFewEvents(t *testing.T) {
	w, events := NewWatch(DefaultThresholds()), 0
	seq := uint64(0)
	for i := range 10_000 {
		rank := 0
		if i%20 < 10 { // ten bad rounds, ten good ones
			rank = 1
		}
		for _, c := range w.Observe(steady(rank, 30*time.Second)) {
			seq++
			events++
			w.Commit(bus.StoredHealthEvent{HealthEvent: bus.HealthEvent{ID: fmt.Sprint(seq), Component: c.Component, Data: c.Event.Data}, Sequence: seq})
		}
	}
	// Worse, better after 3; worse, better after 6; worse, and 12 are never reached.
	if events != 5 {
		t.Errorf("500 times from good to bad: got %d events, want 5", events)
	}
}
