package health

import (
	"testing"
	"time"
)

func TestNoWorker(t *testing.T) {
	alone := onEcho(func(a *Agent) { a.Workers = 0 })
	looks(t, "no_worker", well, DefaultThresholds(), []look{
		{"what waits is told", "agent/echo unhealthy! no worker serves it; 12 requests wait, the oldest for 40s [echo]", given(alone, onEcho(queued(12, 40*time.Second)))},
		{"one has no oldest", "agent/echo unhealthy! no worker serves it; 1 request waits for 500ms [echo]", given(alone, onEcho(queued(1, 500*time.Millisecond)))},
		{"nothing may wait", "agent/echo unhealthy! no worker serves it; nothing waits [echo]", given(alone)},
		{"a queue that is out of use is worse", "", given(alone, onEcho(func(a *Agent) { a.Problem = "paused" }))},
		{"until the workers are known nobody is missed", "", given(alone, func(s *Snapshot) { s.WorkersKnown = false })},
	})
}

func TestWays(t *testing.T) {
	shut := func(s *Snapshot) { s.Breakers["model"] = Breaker{Open: 2, HalfOpen: 1} }
	ways := func(names ...string) func(*Snapshot) { return onEcho(func(a *Agent) { a.Ways = names }) }
	only := func(s *Snapshot) { delete(s.Agents, "probe") }
	looks(t, "ways", well, DefaultThresholds(), []look{
		{"a static answer is never shut", "agent/echo degraded the breaker of model is open; its static answer serves [echo]", given(only, shut)},
		{"a fallback answers", "agent/echo degraded the breaker of model is open; spare answers instead [echo]", given(only, shut, ways("model", "spare"))},
		{"a fallback that is shut is no trouble", "", given(only, shut, ways("spare", "model"))},
		{"the only one is shut", "agent/echo unhealthy the breaker of model, its only way to answer, is open; nothing waits [echo]", given(only, shut, ways("model"))},
		{
			"all are shut", "agent/echo unhealthy the breakers of all its ways to answer are open: model, spare; 3 requests wait, the oldest for 2s [echo]",
			given(only, shut, ways("model", "spare", "model"), onEcho(queued(3, 2*time.Second)),
				func(s *Snapshot) { s.Breakers["spare"] = Breaker{Closed: 3, Isolated: true} }),
		},
		{"half of the workers are not most", "", given(only, func(s *Snapshot) { s.Breakers["model"] = Breaker{Open: 1, Closed: 1} })},
		{"ways that are not known are not shut", "", given(only, shut, ways())},
	})
}

func TestErrorRate(t *testing.T) {
	failed := func(errors, requests uint64) []func(*Snapshot) {
		return given(onEcho(func(a *Agent) { a.Errors, a.Requests = errors, requests }))
	}
	looks(t, "error_rate", well, DefaultThresholds(), []look{
		{"few requests say nothing", "", failed(9, 9)},
		{"enough do", "agent/echo degraded 1 of 10 requests of the last minute failed, 10 % (degraded from 10 %) [echo]", failed(1, 10)},
		{"below the threshold it stays", "agent/echo degraded? 99 of 1000 requests of the last minute failed, 9.9 % (degraded from 10 % until below 80 % of it) [echo]", failed(99, 1000)},
		{"far below it is well", "", failed(79, 1000)},
		{"every second is too many", "agent/echo unhealthy 6 of 12 requests of the last minute failed, 50 % (unhealthy from 50 %) [echo]", failed(6, 12)},
	})
	none := DefaultThresholds()
	none.Every.MinRequests = 0
	looks(t, "error_rate", well, none, []look{{"nothing has no rate", "", failed(0, 0)}})
}

func TestDeadLetters(t *testing.T) {
	dead := func(n uint64) []func(*Snapshot) {
		return given(onEcho(func(a *Agent) { a.DeadLetters, a.DeadLettersKept = n, 99 }))
	}
	looks(t, "dead_letters", well, DefaultThresholds(), []look{
		{"old ones are no news", "", dead(0)},
		{"one is too many", "agent/echo degraded 1 dead letter in the last minute (degraded from 1) [echo]", dead(1)},
		{"eight keep what ten made", "agent/echo degraded 8 dead letters in the last minute (degraded from 1) [echo]", dead(8)},
		{"ten are far too many", "agent/echo unhealthy 10 dead letters in the last minute (unhealthy from 10) [echo]", dead(10)},
	})
}

func TestQueue(t *testing.T) {
	broken := onEcho(func(a *Agent) { a.Problem = "its batch lane is paused" })
	looks(t, "queue", well, DefaultThresholds(), []look{
		{"the reason is told", "agent/echo unhealthy its queue is out of use: its batch lane is paused [echo]", given(broken)},
		{"a stream that is gone is told of instead", "", given(broken, onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Missing = true }))},
	})
}
