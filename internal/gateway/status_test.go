package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// tell reads the status.
func (g *running) tell(t testing.TB) Status {
	t.Helper()
	r := g.do(t, get("/status"))
	var s Status
	if err := json.Unmarshal([]byte(r.body), &s); err != nil || r.status != http.StatusOK {
		t.Fatalf("got %d %s (%v), want 200", r.status, r.body, err)
	}
	return s
}

// list reads the agents, by name.
func (g *running) list(t testing.TB) map[string]AgentView {
	t.Helper()
	r := g.do(t, get("/v1/agents"))
	var views []AgentView
	if err := json.Unmarshal([]byte(r.body), &views); err != nil || r.status != http.StatusOK {
		t.Fatalf("got %d %s (%v), want 200", r.status, r.body, err)
	}
	byName := make(map[string]AgentView, len(views))
	for _, v := range views {
		byName[v.Name] = v
	}
	return byName
}

// served tells that an agent has so many workers.
func served(v AgentView, workers int) bool { return v.Workers != nil && *v.Workers == workers }

func TestWithoutAMonitorHealthIsUnknown(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	worker(t, connect(t, s, configured()), serving("w1", "assistant", "echo", "probe"))
	await(t, "the worker", func() bool { return served(g.list(t)["echo"], 1) })
	const want = "Health is unknown: no monitor is running. Requests are accepted."
	got := g.tell(t)
	if got.Status != "degraded" || got.Message != want || !slices.Equal(got.AffectedServices, []string{"monitor"}) || got.EstimatedRecovery != nil {
		t.Errorf("got %+v, want degraded: %s", got, want)
	}
	if echo := g.list(t)["echo"]; echo.State != "unknown" || echo.Reason != "no monitor is running" || *echo.Slots != 4 || *echo.SlotsInUse != 1 {
		t.Errorf("echo: got %+v, want unknown, with 4 slots of which 1 is in use", echo)
	}
	ready := g.do(t, get("/health/ready")).is(t, http.StatusOK)
	if ready["ready"] != true {
		t.Errorf("ready: got %v, want true: requests are accepted and answered", ready)
	}
}

func TestWhatTheMonitorSaysIsTold(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	other := connect(t, s, configured())
	since, recovery := time.Now().Add(-time.Hour).UTC().Truncate(time.Second), time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	stop := monitor(t, other, func() health.Overview {
		o := well()
		o.Status, o.Message = "degraded", "agent echo is degraded: 2000 requests wait"
		o.AffectedServices, o.EstimatedRecovery = []string{"echo", "probe"}, &recovery
		o.Components = []health.Ill{
			{Component: "agent/echo", State: bus.StateDegraded, Since: since, Reason: "2000 requests wait", EstimatedRecovery: &recovery},
			{Component: "breaker/assistant", State: bus.StateDegraded, Since: since, Reason: "open"},
		}
		return o
	})
	worker(t, other, serving("w1", "assistant", "echo", "probe"))
	await(t, "the monitor and the worker", func() bool { v := g.list(t)["echo"]; return v.State == "degraded" && served(v, 1) })
	got := g.tell(t)
	if got.Status != "degraded" || got.Message != "agent echo is degraded: 2000 requests wait" || !slices.Equal(got.AffectedServices, []string{"echo", "probe"}) ||
		got.EstimatedRecovery == nil || !got.EstimatedRecovery.Equal(recovery) {
		t.Errorf("status: got %+v", got)
	}
	list := g.list(t)
	if echo := list["echo"]; echo.Reason != "2000 requests wait" || !echo.Since.Equal(since) || !echo.EstimatedRecovery.Equal(recovery) {
		t.Errorf("echo: got %+v", echo)
	}
	if probe := list["probe"]; probe.State != "degraded" || !strings.Contains(probe.Reason, "echo is degraded") {
		t.Errorf("probe, which suffers: got %+v, want degraded", probe)
	}
	if assistant := list["assistant"]; assistant.State != "healthy" || assistant.Reason != "" || assistant.Since != nil {
		t.Errorf("assistant: got %+v, want healthy", assistant)
	}
	c := newContract(t, loadDocument(t, g))
	for _, call := range []call{get("/status"), get("/v1/agents"), get("/health/detailed", "Authorization: Bearer operator-token")} {
		c.check(t, call, g.do(t, call), true)
	}
	stop()
	monitor(t, other, well)
	await(t, "all to be well", func() bool { return g.tell(t).Status == "healthy" })
	if got := g.tell(t); got.Message != "all systems are operational" || len(got.AffectedServices) != 0 || got.EstimatedRecovery != nil {
		t.Errorf("status: got %+v", got)
	}
}

func TestAnAgentThatNobodyServesIsKnownBeforeTheMonitorLooks(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	other := connect(t, s, configured())
	monitor(t, other, well)
	worker(t, other, serving("w1", "assistant", "probe"))
	stop := worker(t, other, serving("w2", "echo"))
	await(t, "all to be well", func() bool { return g.tell(t).Status == "healthy" })
	stop()
	await(t, "the loss", func() bool { return served(g.list(t)["echo"], 0) })
	if echo := g.list(t)["echo"]; echo.State != "unhealthy" || echo.Reason != "no worker serves it: its requests wait" || *echo.Slots != 0 {
		t.Errorf("echo: got %+v, want unhealthy", echo)
	}
	const want = "No worker serves echo: requests are accepted, and wait."
	if got := g.tell(t); got.Status != "degraded" || got.Message != want || !slices.Equal(got.AffectedServices, []string{"echo"}) {
		t.Errorf("status: got %+v, want %s", got, want)
	}
	if r := g.do(t, post(requests, hi)); r.status != http.StatusAccepted {
		t.Errorf("a request: got %d %s, want 202", r.status, r.body)
	}
}

func TestTheStatusNamesAFewOfMany(t *testing.T) {
	g := &Server{watch: told()}
	none := 0
	var views []AgentView
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		views = append(views, AgentView{Name: name, State: stateUnknown, Workers: &none})
	}
	views[1].State, views[1].Workers = stateUnavailable, nil
	got := g.sumUp(views)
	const want = "Health is unknown: no monitor has been heard yet. Requests are accepted. The queues of some agents cannot be read: b. " +
		"No worker serves a, c, d, e, f and 1 more: requests are accepted, and wait."
	if got.Message != want || !slices.Equal(got.AffectedServices, []string{"monitor", "b", "a", "c", "d", "e", "f", "g"}) {
		t.Errorf("got %+v, want %s", got, want)
	}
}

func TestWhatAMonitorLeavesOutIsNotHealthy(t *testing.T) {
	o := well()
	o.Status, o.Message, o.More, o.AffectedServices = "degraded", "all is bad", 3, []string{"echo"}
	for name, want := range map[string]string{"echo": "degraded", "probe": "unknown"} {
		v := AgentView{Name: name}
		if v.judge(&o, "", ills(&o)); v.State != want || v.Reason == "" {
			t.Errorf("%s: got %s (%s), want %s and why", name, v.State, v.Reason, want)
		}
	}
}
