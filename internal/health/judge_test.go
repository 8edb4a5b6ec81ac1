package health

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
)

// verdicts writes those that are not well, one a line.
func verdicts(r Round) string {
	var lines []string
	for _, v := range r.Verdicts {
		switch {
		case v.Unknown:
			lines = append(lines, v.Component.String()+" unknown")
		case v.Data.State != bus.StateHealthy:
			lines = append(lines, fmt.Sprintf("%s %s %s %v", v.Component, v.Data.State, v.Data.Reason, v.Data.AffectedServices))
		}
	}
	return strings.Join(lines, "\n")
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		promise, want string
		s             func() Snapshot
		how           []func(*Snapshot)
	}{
		{"nothing is wrong", "", well, nil},
		{
			"the reasons of one component are joined, the worst first",
			"agent/echo unhealthy 6 of 12 requests of the last minute failed, 50 % (unhealthy from 50 %); " +
				"the oldest of 1000 requests waits for 2m0s (degraded from 1m0s); 1000 requests are not settled (degraded from 1000) [echo]",
			well, given(onEcho(queued(1000, 2*time.Minute)), onEcho(func(a *Agent) { a.Errors, a.Requests, a.Service = 6, 12, 100 })),
		},
		{
			"an outage of the broker is one verdict", "dependency/nats unhealthy it cannot be reached since 2026-11-23 11:00:00 UTC [echo probe]",
			well, given(onEcho(queued(99999, time.Hour)), func(s *Snapshot) { s.Broker.Connected = false }),
		},
		{
			"a server that is away is one verdict", "dependency/nats degraded server n2 of 3 is away or behind []",
			clustered, given(away("n2")),
		},
		{
			"what it takes along cannot be told",
			"dependency/nats unhealthy 1 stream has no leader: GENESIS_REQUESTS_echo; server n2 of 3 is away or behind [echo]\n" +
				"stream/GENESIS_REQUESTS_echo unknown\nagent/echo unknown",
			clustered, given(away("n2"), onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Leader = "" }), onEcho(queued(99999, time.Hour))),
		},
		{
			"a stream that is gone is one verdict", "stream/GENESIS_REQUESTS_echo unhealthy it is missing; `genesis streams apply` makes it [echo]\nagent/echo unknown",
			well, given(onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Missing = true }), onEcho(func(a *Agent) { a.Problem = "its queue is missing" })),
		},
		{
			"until the workers are known only they are not judged",
			"stream/GENESIS_RESULTS unhealthy it cannot be read: timeout [echo probe]\nbreaker/model unknown\nworker/w1 unknown\nagent/echo unknown\nagent/probe unknown",
			well, given(func(s *Snapshot) { s.WorkersKnown = false }, onStream("GENESIS_RESULTS", func(st *Stream) { st.Problem = "timeout" })),
		},
		{
			"the first round knows no rates and judges all the same", "agent/echo degraded its only request waits for 1m30s (degraded from 1m0s) [echo]",
			well, given(onEcho(queued(1, 90*time.Second)), func(s *Snapshot) { s.Elapsed = 0 }, onEcho(func(a *Agent) { a.Arrival, a.Service = -1, -1 })),
		},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			s := tt.s()
			for _, how := range tt.how {
				how(&s)
			}
			if got := verdicts(Judge(s, DefaultThresholds())); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestEveryVerdictIsInOrderAndSaysWhy(t *testing.T) {
	s := well()
	s.Ledger = &Ledger{Checked: 7}
	change(s.Workers, "w1", func(w *Worker) { w.Lost = s.At.Add(-time.Hour) })
	var got []string
	for _, v := range Judge(s, DefaultThresholds()).Verdicts {
		got = append(got, v.Component.String()+": "+v.Data.Reason+s.wellness(v.Component))
	}
	want := []string{
		"dependency/nats: it answers; connected since 2026-11-23 11:00:00 UTC",
		"stream/GENESIS_REQUESTS_echo: it can be used, with 0 messages",
		"stream/GENESIS_REQUESTS_probe: it can be used, with 0 messages",
		"stream/GENESIS_RESULTS: it can be used, with 0 messages",
		"breaker/model: closed in 1 worker",
		"worker/w1: forgotten: lost since 2026-11-23 11:00:00 UTC",
		"agent/echo: 1 worker serves it; nothing waits",
		"agent/probe: 1 worker serves it; nothing waits",
		"system/ledger: every request is accounted for: 7 requests",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAVerdictCarriesTheFiguresOfItsAgent(t *testing.T) {
	find := func(a Agent) bus.HealthData {
		s := well()
		s.Agents["echo"] = a
		r := Judge(s, DefaultThresholds())
		return r.Verdicts[slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.Component == agent("echo") })].Data
	}
	a := well().Agents["echo"]
	queued(2000, 30*time.Second)(&a)
	a.Arrival, a.Service = 5, 25
	d := find(a)
	if *d.Lag != 2000 || *d.OldestAge != 30 || *d.ArrivalRate != 5 || *d.ServiceRate != 25 {
		t.Errorf("got %+v, want the agent's figures %+v", d, a)
	}
	if want := noon().Add(100 * time.Second); d.EstimatedRecovery == nil || !d.EstimatedRecovery.Equal(want) {
		t.Errorf("estimated recovery: got %v, want %v: 2000 requests at 20 a second", d.EstimatedRecovery, want)
	}
	a.Arrival, a.Service = -1, -1
	if d := find(a); d.ArrivalRate != nil || d.ServiceRate != nil || d.EstimatedRecovery != nil {
		t.Errorf("rates that are not known: got %+v, want nil", d)
	}
	a.Arrival, a.Service, a.Errors, a.Requests = 5, 25, 100, 100
	if d := find(a); d.State != bus.StateUnhealthy || d.EstimatedRecovery != nil {
		t.Errorf("an agent that also fails: got %s, recovery %v, want unhealthy, and nobody knows until when", d.State, d.EstimatedRecovery)
	}
}

func TestRecovery(t *testing.T) {
	for _, tt := range []struct {
		promise          string
		lag              uint64
		arrival, service float64
		want             time.Duration // 0: nobody can tell
	}{
		{"what comes is done besides", 100, 1, 2, 100 * time.Second},
		{"nothing comes", 100, 0, 4, 25 * time.Second},
		{"there is nothing to do", 0, 0, 4, 0},
		{"it does not become less", 100, 2, 2, 0},
		{"it becomes more", 100, 3, 2, 0},
		{"nothing is done", 100, 0, 0, 0},
		{"the arrival is not known", 100, -1, 2, 0},
		{"the service is not known", 100, 1, -1, 0},
		{"a day", 86400, 0, 1, 24 * time.Hour},
		{"more than a day", 86401, 0, 1, 0},
		{"more than can be said", 1 << 63, 0, 1e-9, 0},
	} {
		at, ok := Recovery(noon(), &Agent{Workers: 1, Lag: tt.lag, Arrival: tt.arrival, Service: tt.service})
		if got := at.Sub(noon()); ok != (tt.want > 0) || ok && got != tt.want {
			t.Errorf("%s: got %v, %t, want %v", tt.promise, got, ok, tt.want)
		}
	}
	if at, ok := Recovery(noon(), &Agent{Lag: 100, Service: 4}); ok {
		t.Errorf("nobody serves it: got %v, want that nobody can tell", at)
	}
}

func TestDrainTimeOfAnAgent(t *testing.T) {
	for _, tt := range []struct {
		lag     uint64
		service float64
		want    time.Duration
		known   bool
	}{
		{0, 0, 0, true}, {0, -1, 0, false}, {10, 0, 0, false}, {10, -1, 0, false}, {10, 4, 2500 * time.Millisecond, true}, {1 << 63, 1e-9, 0, false},
	} {
		a := Agent{Lag: tt.lag, Service: tt.service}
		if got, known := a.DrainTime(); got != tt.want || known != tt.known {
			t.Errorf("lag %d at %v/s: got %v, %t, want %v, %t", tt.lag, tt.service, got, known, tt.want, tt.known)
		}
	}
}

func TestADigestTellsThresholdsApart(t *testing.T) {
	same := DefaultThresholds()
	same.Agents = map[string]Limits{"echo": same.Every}
	if got, want := same.Digest(), DefaultThresholds().Digest(); got != want || len(got) != 12 {
		t.Errorf("an agent with the common thresholds: got %s, want %s, of 12 digits", got, want)
	}
	seen := map[string]string{DefaultThresholds().Digest(): "the default"}
	for what, how := range map[string]func(*Thresholds){
		"worse_after":  func(t *Thresholds) { t.WorseAfter++ },
		"better_after": func(t *Thresholds) { t.BetterAfter++ },
		"a threshold":  func(t *Thresholds) { t.Every.DrainTime.Unhealthy++ },
		"min_requests": func(t *Thresholds) { t.Every.MinRequests++ },
		"an agent": func(t *Thresholds) {
			own := t.Every
			own.Lag.Degraded = 1
			t.Agents = map[string]Limits{"echo": own}
		},
	} {
		limits := DefaultThresholds()
		how(&limits)
		d := limits.Digest()
		if other, twice := seen[d]; twice {
			t.Errorf("%s and %s have the same digest %s", what, other, d)
		}
		seen[d] = what
	}
}

// thousand is a system of a thousand agents, every tenth of which is ill.
func thousand() Snapshot {
	s := well()
	clear(s.Agents)
	clear(s.Streams)
	for i := range 1000 {
		name := fmt.Sprintf("agent-%d", i)
		a := Agent{
			Workers: 3, Slots: 30, Timeout: 30 * time.Second, Ways: []string{"model", ""}, Lag: 20, OldestAge: time.Second,
			Lanes: []Lane{{Name: bus.LaneInteractive, Pending: 10, Lag: 10}, {Name: bus.LaneBatch, Pending: 10, Lag: 10}}, Arrival: 10, Service: 10,
			Requests: 600, Errors: 1,
		}
		if i%10 == 0 {
			queued(5000, 2*time.Minute)(&a)
		}
		s.Agents[name] = a
		s.Streams[bus.RequestStream(name)] = Stream{MaxMessages: 10000, Messages: a.Lag, Clustered: true, Leader: "n1", Replicas: 3}
	}
	return s
}

func BenchmarkJudgeAThousandAgents(b *testing.B) {
	s, limits := thousand(), DefaultThresholds()
	w := NewWatch(limits)
	for b.Loop() {
		w.Observe(Judge(s, limits))
	}
}
