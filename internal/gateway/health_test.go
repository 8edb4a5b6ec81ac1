package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

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
	if status["status"] != "healthy" || !strings.Contains(status["message"].(string), "not watched yet") {
		t.Errorf("status: got %v, want healthy, and what that does not mean", status)
	}
	for _, field := range []string{"X-Nothing: x", "Authorization: Bearer wrong", "Authorization: Bearer"} {
		g.do(t, get("/health/detailed", field)).problem(t, http.StatusUnauthorized, "for operators")
	}
	detail := g.do(t, get("/health/detailed", "Authorization: Bearer operator-token")).is(t, http.StatusOK)
	if detail["version"] != "test" || detail["ready"] != true || len(detail["components"].([]any)) != 3 {
		t.Errorf("detailed: got %v", detail)
	}
	shut := serve(t, Options{Config: configured(), Bus: g.bus})
	shut.do(t, get("/health/detailed", "Authorization: Bearer ")).problem(t, http.StatusUnauthorized, "GENESIS_OPERATOR_TOKEN")
}

func TestTheAgentsAreListedWithTheirLag(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	for _, lane := range []string{"interactive", "interactive", "batch"} {
		g.do(t, post("/v1/agents/probe/requests?lane="+lane, hi)).is(t, http.StatusAccepted)
	}
	r := g.do(t, get("/v1/agents"))
	var views []AgentView
	if err := json.Unmarshal([]byte(r.body), &views); err != nil || r.status != http.StatusOK {
		t.Fatalf("got %d %s %v", r.status, r.body, err)
	}
	if len(views) != 3 || views[0].Name != "assistant" || views[1].Name != "echo" || views[2].Name != "probe" {
		t.Fatalf("got %s, want the three agents in order", r.body)
	}
	probe := views[2]
	if probe.State != "accepting" || *probe.Lag != 3 || probe.Lanes[0].Pending != 2 || probe.Lanes[1].Lane != "batch" || probe.Lanes[1].Lag != 1 {
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
	if affected := status["affected_services"].([]any); status["status"] != "degraded" || len(affected) != 1 || affected[0] != "echo" {
		t.Errorf("status: got %v", status)
	}
	if r := g.do(t, get("/v1/agents")); !strings.Contains(r.body, `"state":"unavailable","lag":null`) {
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
