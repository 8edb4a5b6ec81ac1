package health

import (
	"testing"
	"time"
)

func TestLag(t *testing.T) {
	lag := func(n uint64) []func(*Snapshot) { return given(onEcho(queued(n, time.Second))) }
	looks(t, "lag", well, DefaultThresholds(), []look{
		{"far below a threshold it is well", "", lag(799)},
		{"from 80 % on it only stays what it was", "agent/echo degraded? 800 requests are not settled (degraded from 1000 until below 80 % of it) [echo]", lag(800)},
		{"below a threshold it does not become worse", "agent/echo degraded? 999 requests are not settled (degraded from 1000 until below 80 % of it) [echo]", lag(999)},
		{"at a threshold it does", "agent/echo degraded 1000 requests are not settled (degraded from 1000) [echo]", lag(1000)},
		{"the worse threshold counts", "agent/echo unhealthy 10000 requests are not settled (unhealthy from 10000) [echo]", lag(10000)},
	})
}

func TestAnAgentsOwnThresholds(t *testing.T) {
	limits := DefaultThresholds()
	own := limits.Every
	own.Lag = Level[uint64]{Degraded: 1}
	limits.Agents = map[string]Limits{"echo": own}
	looks(t, "lag", well, limits, []look{
		{"count for it", "agent/echo degraded 1 request is not settled (degraded from 1) [echo]", given(onEcho(queued(1, 0)))},
		{"and 0 is never", "agent/echo degraded 1000000 requests are not settled (degraded from 1) [echo]", given(onEcho(queued(1_000_000, 0)))},
		{"and for no other", "", given(func(s *Snapshot) { change(s.Agents, "probe", queued(700, 0)) })},
	})
}

func TestOldestAge(t *testing.T) {
	age := func(n uint64, d time.Duration) []func(*Snapshot) { return given(onEcho(queued(n, d))) }
	looks(t, "oldest_age", well, DefaultThresholds(), []look{
		{"a short wait is none", "", age(340, 47*time.Second)},
		{"the figures are told", "agent/echo degraded the oldest of 340 requests waits for 2m10s (degraded from 1m0s) [echo]", age(340, 130*time.Second)},
		{"at the threshold", "agent/echo degraded its only request waits for 1m0s (degraded from 1m0s) [echo]", age(1, time.Minute)},
		{"below it", "agent/echo degraded? its only request waits for 48s (degraded from 1m0s until below 80 % of it) [echo]", age(1, 48*time.Second)},
		{"far beyond it", "agent/echo unhealthy the oldest of 2 requests waits for 10m0s (unhealthy from 10m0s) [echo]", age(2, 10*time.Minute)},
		{"without lag there is no age", "", age(0, time.Hour)},
	})
}

func TestDrainTime(t *testing.T) {
	drains := func(n uint64, oldest time.Duration, service float64) []func(*Snapshot) {
		return given(onEcho(queued(n, oldest)), onEcho(func(a *Agent) { a.Service = service }))
	}
	looks(t, "drain_time", well, DefaultThresholds(), []look{
		{"work that is soon done is no trouble", "", drains(47, 30*time.Second, 1)},
		{
			"a timeout is the measure",
			"agent/echo degraded 60 requests take 1m0s at 1/s (degraded from 1m0s) [echo]", drains(60, 30*time.Second, 1),
		},
		{"ten of them are too many", "agent/echo unhealthy 3000 requests take 5m0s at 10/s (unhealthy from 5m0s) [echo]", drains(3000, 30*time.Second, 10)},
		{"the rate of an idle agent says nothing", "", drains(3000, 29*time.Second, 0.01)},
		{"a rate that is not known says nothing", "", drains(3000, time.Hour, -1)},
		{
			"work of which none is done is as late as it is old",
			"agent/echo degraded none of 12 requests is settled, the oldest waits for 1m30s (degraded from 1m0s) [echo]", drains(12, 90*time.Second, 0),
		},
		{
			"what takes for ever is bounded",
			"agent/echo unhealthy 1000000 requests take more than a day at 0.5/s (unhealthy from 5m0s) [echo]", drains(1_000_000, 30*time.Second, 0.5),
		},
		{"what is in the hands of workers does not wait", "", given(onEcho(func(a *Agent) {
			a.Lag, a.OldestAge, a.Service = 10, time.Hour, 0
			a.Lanes = []Lane{{InFlight: 10, Lag: 10, OldestAge: time.Hour}}
		}))},
	})
}

// A cause silences what follows from it.
func TestABacklogThatIsExplainedIsNotTold(t *testing.T) {
	late := onEcho(queued(100_000, time.Hour))
	for _, tt := range []struct {
		promise string
		how     func(*Snapshot)
	}{
		{"nobody serves it", onEcho(func(a *Agent) { a.Workers = 0 })},
		{"its queue is out of use", onEcho(func(a *Agent) { a.Problem = "paused" })},
		{"its stream is gone", onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Missing = true })},
		{"its stream cannot be read", onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Problem = "timeout" })},
		{"all its ways are shut", func(s *Snapshot) {
			s.Breakers["model"] = Breaker{Open: 1}
			change(s.Agents, "echo", func(a *Agent) { a.Ways = []string{"model"} })
		}},
		{"the workers are not known", func(s *Snapshot) { s.WorkersKnown = false }},
		{"the broker is away", func(s *Snapshot) { s.Broker.Connected = false }},
	} {
		for _, check := range []string{"lag", "oldest_age", "drain_time"} {
			looks(t, check, well, DefaultThresholds(), []look{{check + ": " + tt.promise, "", given(late, tt.how)}})
		}
	}
}
