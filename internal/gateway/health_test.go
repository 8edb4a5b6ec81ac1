package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestHealth(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	if got := g.do(t, get("/health/live")); got.is(t, http.StatusOK)["status"] != "alive" {
		t.Errorf("live: got %s", got.body)
	}
	ready := g.do(t, get("/health/ready")).is(t, http.StatusOK)
	checks := ready["checks"].(map[string]any)
	if ready["ready"] != true || len(checks) != 3 || checks["nats"] != true || checks["jetstream"] != true || checks["accepting"] != true {
		t.Errorf("ready: got %v", ready)
	}
	status := g.do(t, get("/status")).is(t, http.StatusOK)
	for _, key := range []string{"status", "message", "affected_services", "estimated_recovery"} {
		if _, ok := status[key]; !ok {
			t.Errorf("status has no %s: %v", key, status)
		}
	}
	if status["status"] != "degraded" || !strings.Contains(status["message"].(string), "Health is unknown") {
		t.Errorf("status: got %v, want degraded: nobody looks", status)
	}
	for _, field := range []string{"X-Nothing: x", "Authorization: Bearer wrong", "Authorization: Bearer"} {
		g.do(t, get("/health/detailed", field)).problem(t, http.StatusUnauthorized, "for operators")
	}
	shut := serve(t, Options{Config: configured(), Bus: g.bus})
	shut.do(t, get("/health/detailed", "Authorization: Bearer ")).problem(t, http.StatusUnauthorized, "GENESIS_OPERATOR_TOKEN")
}

// detail reads /health/detailed as an operator.
func (g *running) detail(t testing.TB) Detail {
	t.Helper()
	r := g.do(t, get("/health/detailed", "Authorization: Bearer operator-token"))
	var d Detail
	if err := json.Unmarshal([]byte(r.body), &d); err != nil || r.status != http.StatusOK {
		t.Fatalf("got %d %s (%v), want 200", r.status, r.body, err)
	}
	return d
}

func TestOperatorsAreToldAll(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	cfg := configured()
	g := serve(t, Options{Config: cfg, Bus: connect(t, s, cfg), Log: testLog(t), Version: "test", OperatorToken: "operator-token", DataDir: t.TempDir()})
	other := connect(t, s, cfg)
	lease := serving("w1", "assistant", "echo")
	lease.Breakers = []bus.BreakerLoad{{Name: "llm", State: "open", Reason: "consecutive failures"}}
	monitor(t, other, well)
	worker(t, other, lease)
	var d Detail
	await(t, "the monitor and the worker", func() bool {
		d = g.detail(t)
		return d.Infrastructure.Monitor.Healthy && len(d.Infrastructure.Breakers) == 1
	})
	if d.Version != "test" || d.Uptime <= 0 || !d.Ready || len(d.Checks) != 3 || time.Since(d.Timestamp) > time.Minute || len(d.Components) != 3 {
		t.Errorf("got %+v", d)
	}
	if echo := d.Components["echo"]; !echo.Healthy || echo.State != "healthy" || !served(echo.AgentView, 1) || *echo.Lag != 0 {
		t.Errorf("echo: got %+v, want healthy", echo)
	}
	if probe := d.Components["probe"]; probe.Healthy || probe.State != "unhealthy" || !served(probe.AgentView, 0) {
		t.Errorf("probe, which nobody serves: got %+v", probe)
	}
	i := d.Infrastructure
	if n := i.NATS; !n.Healthy || n.Server != "bustest" || n.Since.IsZero() || i.Error != "" {
		t.Errorf("nats: got %+v %s", n, i.Error)
	}
	if m := i.Monitor; m.Holder != "m1" || m.Since == nil || m.Round == nil || m.Error != "" {
		t.Errorf("monitor: got %+v", m)
	}
	if want := (BreakerView{Name: "llm", State: "open", Open: 1, Reason: "consecutive failures"}); i.Breakers[0] != want {
		t.Errorf("circuit breakers: got %+v, want %+v", i.Breakers[0], want)
	}
	if u := i.Resources; u.Process.RSSBytes == nil || u.Process.Goroutines == 0 || u.Host.MemoryBytes == nil || u.Host.Disk == nil {
		t.Errorf("resource usage: got %+v", u)
	}
	s.Down(t)
	await(t, "the loss", func() bool {
		d = g.detail(t)
		return !d.Infrastructure.NATS.Healthy && d.Infrastructure.Breakers == nil && d.Infrastructure.Error != ""
	})
	if i := d.Infrastructure; d.Ready || i.NATS.Since.Before(d.Timestamp.Add(-time.Minute)) || i.Monitor.Healthy || i.Monitor.Error != whyNoBus {
		t.Errorf("without the broker: got %+v", d)
	}
	if got := g.tell(t); got.Status != "degraded" || !slices.Equal(got.AffectedServices, []string{"nats"}) {
		t.Errorf("status without the broker: got %+v", got)
	}
	c := newContract(t, loadDocument(t, g))
	call := get("/health/detailed", "Authorization: Bearer operator-token")
	c.check(t, call, g.do(t, call), true)
}

func TestTheAgentsAreListedWithTheirLag(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	for _, lane := range []string{"interactive", "interactive", "batch"} {
		g.do(t, post("/v1/agents/probe/requests?lane="+lane, hi)).is(t, http.StatusAccepted)
	}
	await(t, "the consumers to count", func() bool {
		interactive, err := g.bus.Lag(t.Context(), "probe", bus.LaneInteractive)
		batch, failed := g.bus.Lag(t.Context(), "probe", bus.LaneBatch)
		return err == nil && failed == nil && interactive.Lag == 2 && batch.Lag == 1
	})
	r := g.do(t, get("/v1/agents"))
	var views []AgentView
	if err := json.Unmarshal([]byte(r.body), &views); err != nil || r.status != http.StatusOK {
		t.Fatalf("got %d %s %v", r.status, r.body, err)
	}
	if len(views) != 3 || views[0].Name != "assistant" || views[1].Name != "echo" || views[2].Name != "probe" {
		t.Fatalf("got %s, want the three agents in order", r.body)
	}
	probe := views[2]
	if probe.State != "unknown" || *probe.Lag != 3 || probe.Lanes[0].Pending != 2 || probe.Lanes[1].Lane != "batch" || probe.Lanes[1].Lag != 1 {
		t.Errorf("probe: got %+v", probe)
	}
	if again := g.do(t, get("/v1/agents")); again.body != r.body {
		t.Errorf("within a second: got %s, want what was said before", again.body)
	}
}

func TestAnAgentWithoutItsConsumersIsUnavailable(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	if err := g.bus.JetStream().DeleteConsumer(t.Context(), bus.RequestStream("echo"), "batch"); err != nil {
		t.Fatal(err)
	}
	status := g.do(t, get("/status")).is(t, http.StatusOK)
	if affected := status["affected_services"].([]any); status["status"] != "degraded" || !slices.Contains(affected, any("echo")) || !strings.Contains(status["message"].(string), "cannot be read: echo.") {
		t.Errorf("status: got %v", status)
	}
	if r := g.do(t, get("/v1/agents")); !strings.Contains(r.body, `"state":"unavailable"`) || !strings.Contains(r.body, `"lag":null`) {
		t.Errorf("agents: got %s, want no lag of 0", r.body)
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) { c.Gateway.MaxWaiters = 1 }))
	g.do(t, post(requests, hi, "Idempotency-Key: m1"))
	g.do(t, post(requests, hi, "Idempotency-Key: m1"))
	g.do(t, post(requests, `{}`))
	g.do(t, post("/v1/agents/nobody/requests", hi))
	g.do(t, get("/nowhere"))
	r := g.do(t, get("/metrics"))
	for _, want := range []string{
		`genesis_gateway_requests_total{agent="echo",outcome="accepted"} 1`,
		`genesis_gateway_requests_total{agent="echo",outcome="joined"} 1`,
		`genesis_gateway_requests_total{agent="echo",outcome="invalid_request"} 1`,
		`genesis_gateway_requests_total{agent="other",outcome="unknown_agent"} 1`,
		`genesis_gateway_responses_total{code="202",route="POST /v1/agents/{agent}/requests"} 2`,
		`genesis_gateway_responses_total{code="404",route="/"} 1`,
		`genesis_gateway_accept_seconds_count 1`,
		`genesis_gateway_waiters 0`,
		`genesis_gateway_nats_connected 1`,
		`genesis_build_info{`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("metrics do not hold %s", want)
		}
	}
	if strings.Contains(r.body, "m1") || strings.Contains(r.body, "nobody") || strings.Contains(r.body, "nowhere") {
		t.Error("a label holds what a client sent")
	}
}
