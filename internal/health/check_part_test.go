package health

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	is := func(b Breaker) []func(*Snapshot) {
		b.Agents = []string{"echo"}
		return given(func(s *Snapshot) { s.Breakers["model"] = b })
	}
	looks(t, "breaker", well, DefaultThresholds(), []look{
		{"open in most", "breaker/model unhealthy open in 2 of 3 workers: 5 failures in a row [echo]", is(Breaker{Open: 2, Closed: 1, Reason: "5 failures in a row"})},
		{"open in half is not open", "breaker/model degraded open in 1 of 2 workers [echo]", is(Breaker{Open: 1, Closed: 1})},
		{"on trial", "breaker/model degraded on trial in 1 of 1 worker [echo]", is(Breaker{HalfOpen: 1})},
		{"held open", "breaker/model unhealthy an operator holds it open [echo]", is(Breaker{Isolated: true, Closed: 3})},
		{"until the workers are known nobody can tell", "", append(is(Breaker{Open: 3}), func(s *Snapshot) { s.WorkersKnown = false })},
	})
}

func TestWorkerLost(t *testing.T) {
	lost := func(ago time.Duration) []func(*Snapshot) {
		return given(func(s *Snapshot) { change(s.Workers, "w1", func(w *Worker) { w.Lost = s.At.Add(-ago) }) })
	}
	looks(t, "worker_lost", well, DefaultThresholds(), []look{
		{"since when, and what it did", "worker/w1 unhealthy! lost since 2026-11-23 11:59:56 UTC, without a farewell; it served echo, probe with 20 slots", lost(4 * time.Second)},
		{
			"it affects those that nobody else serves", "worker/w1 unhealthy! lost since 2026-11-23 11:59:56 UTC, without a farewell; it served echo, probe with 20 slots [echo]",
			append(lost(4*time.Second), func(s *Snapshot) { change(s.Agents, "echo", func(a *Agent) { a.Workers = 0 }) }),
		},
		{
			"shortly before it is forgotten", "worker/w1 unhealthy! lost since 2026-11-23 11:50:01 UTC, without a farewell; it served echo, probe with 20 slots",
			lost(Forgotten - time.Second),
		},
		{"then it is", "", lost(Forgotten)},
		{"one that drains is not lost", "", given(func(s *Snapshot) { change(s.Workers, "w1", func(w *Worker) { w.Draining = true }) })},
	})
}

func TestLedger(t *testing.T) {
	found := func(l Ledger) []func(*Snapshot) { return given(func(s *Snapshot) { s.Ledger = &l }) }
	looks(t, "ledger", well, DefaultThresholds(), []look{
		{"all is accounted for", "", found(Ledger{Checked: 10})},
		{
			"what is missing, and of whom", "system/ledger unhealthy! 4 requests were accepted and are nowhere: echo 1, probe 3; `genesis verify` names them [echo probe]",
			found(Ledger{Checked: 10, Missing: 4, Agents: map[string]uint64{"probe": 3, "echo": 1}}),
		},
		{"what could not be verified", "system/ledger degraded! it could not be verified: timeout", found(Ledger{Problem: "timeout"})},
		{
			"what is missing is not found by not looking",
			"system/ledger unhealthy! 1 request was accepted and is nowhere: echo 1; `genesis verify` names them; it could not be verified again: timeout [echo]",
			found(Ledger{Missing: 1, Agents: map[string]uint64{"echo": 1}, Problem: "timeout"}),
		},
	})
}
