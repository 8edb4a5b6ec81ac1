package worker

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
)

func TestAWorkerTellsItsHealth(t *testing.T) {
	s := newSystem(t, "agents: {echo: {slots: 3, ladder: [{rung: primary, provider: echo}]}}\n")
	w := s.start(t, func(o *Options) { o.DataDir = t.TempDir() })
	if code, body, header := get(t, w.URL()+"/health/live"); code != 200 || body != `{"status":"alive"}`+"\n" || header.Get("Content-Type") != "application/json" {
		t.Errorf("live: got %d %q %v", code, body, header)
	}
	await(t, "readiness", func() bool {
		code, body, _ := get(t, w.URL()+"/health/ready")
		return code == 200 && body == `{"ready":true,"checks":{"nats":true,"pools":true}}`+"\n"
	})
	code, body, _ := get(t, w.URL()+"/health/detailed", "Authorization: Bearer secret")
	var h health
	if err := json.Unmarshal([]byte(body), &h); err != nil || code != 200 {
		t.Fatalf("detailed: got %d %s (%v)", code, body, err)
	}
	if h.Version != "1.2.3" || h.Worker != "w1" || h.Uptime <= 0 || time.Since(h.Timestamp) > time.Minute || !h.Ready || h.Draining {
		t.Errorf("detailed: got %+v", h)
	}
	if c := h.Components["echo"]; !c.Healthy || c.Slots != 3 || c.SlotsInUse != 0 || c.Requests != 0 || c.ErrorRate != 0 || len(c.OpenBreakers) != 0 || len(h.Components) != 1 {
		t.Errorf("components: got %+v, want echo with 3 slots", h.Components)
	}
	if n := h.Infrastructure.NATS; !n.Healthy || n.Server != "bustest" || n.Since.IsZero() {
		t.Errorf("infrastructure: got %+v", h.Infrastructure)
	}
	if r := h.Infrastructure.Resources; r.Process.RSSBytes == nil || r.Process.Goroutines == 0 || r.Host.MemoryBytes == nil || r.Host.Disk == nil {
		t.Errorf("resource usage: got %+v", r)
	}
	for _, path := range []string{"/", "/health", "/debug/pprof/"} {
		if code, _, _ := get(t, w.URL()+path); code != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, code)
		}
	}
}

// An agent whose every way to answer is shut executes nothing; one with another way does.
func TestAnAgentIsUnhealthyWhenBreakersShutItsEveryRung(t *testing.T) {
	s := newSystem(t, `
policies: {p: {breaker: {}}}
providers: {llm: {kind: simulated, policy: p}, spare: {kind: echo, policy: p}}
agents:
  one: {ladder: [{rung: primary, provider: llm}, {rung: fallback, provider: llm}]}
  two: {ladder: [{rung: primary, provider: llm}, {rung: fallback, provider: spare}]}
  three: {ladder: [{rung: primary, provider: llm}, {rung: static, text: busy}]}
worker: {agents: [one, two, three]}
`)
	w := s.start(t, nil)
	components := func() map[string]component {
		_, body, _ := get(t, w.URL()+"/health/detailed", "Authorization: Bearer secret")
		var h health
		if err := json.Unmarshal([]byte(body), &h); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return h.Components
	}
	await(t, "health", func() bool { return components()["one"].Healthy })
	w.breaker(t, "llm").Isolate()
	c := components()
	if one := c["one"]; one.Healthy || !slices.Equal(one.OpenBreakers, []string{"llm"}) {
		t.Errorf("one, without another way: got %+v, want it shut by llm", one)
	}
	if two := c["two"]; !two.Healthy || !slices.Equal(two.OpenBreakers, []string{"llm"}) {
		t.Errorf("two, with a fallback: got %+v, want it healthy", two)
	}
	if !c["three"].Healthy {
		t.Errorf("three, with a static text: got %+v, want it healthy", c["three"])
	}
	w.breaker(t, "spare").Isolate()
	if two := components()["two"]; two.Healthy || !slices.Equal(two.OpenBreakers, []string{"llm", "spare"}) {
		t.Errorf("two, with both shut: got %+v", two)
	}
}

func TestHealthTellsWhatFailedInTheLastMinute(t *testing.T) {
	s := newSystem(t, "agents: {probe: {delivery: {max_attempts: 1}, ladder: [{rung: primary, provider: probe}]}}\n")
	w := s.start(t, nil)
	for _, input := range []string{`{}`, `{"error":"no"}`, `{}`, `{}`} {
		s.answerTo(t, "probe", s.ask(t, "probe", bus.Request{Input: []byte(input)}))
	}
	var h health
	await(t, "the counts", func() bool {
		_, body, _ := get(t, w.URL()+"/health/detailed", "Authorization: Bearer secret")
		if err := json.Unmarshal([]byte(body), &h); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return h.Components["probe"].Requests == 4
	})
	if c := h.Components["probe"]; c.Errors != 1 || c.ErrorRate != 0.25 || !c.Healthy {
		t.Errorf("got %+v, want one error in four requests", c)
	}
	s.awaitLease(t, "the same in the lease", func(l bus.WorkerLease) bool {
		return l.Agents["probe"].Requests == 4 && l.Agents["probe"].Errors == 1
	})
}

func TestDetailsAreForOperators(t *testing.T) {
	s := newSystem(t, "")
	shut := s.start(t, func(o *Options) { o.OperatorToken = "" })
	open := s.start(t, nil)
	for _, tt := range []struct {
		name   string
		w      *replica
		header string
		code   int
	}{
		{"the token", open, "Authorization: Bearer secret", 200},
		{"the scheme in any case", open, "Authorization: bearer secret", 200},
		{"no token", open, "X: y", 401},
		{"another token", open, "Authorization: Bearer secreT", 401},
		{"a token that begins right", open, "Authorization: Bearer secret2", 401},
		{"an empty token", open, "Authorization: Bearer ", 401},
		{"another scheme", open, "Authorization: Basic secret", 401},
		{"none configured", shut, "Authorization: Bearer ", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, body, header := get(t, tt.w.URL()+"/health/detailed", tt.header)
			if code != tt.code {
				t.Fatalf("%q: got %d %s, want %d", tt.header, code, body, tt.code)
			}
			if code != 200 && (header.Get("Content-Type") != "application/problem+json" || strings.Contains(body, "secret")) {
				t.Errorf("%q: got %s %q, want a problem", tt.header, header.Get("Content-Type"), body)
			}
			if got := header.Get("WWW-Authenticate"); (got != "") != (code == 401) {
				t.Errorf("%q: WWW-Authenticate: got %q with %d", tt.header, got, code)
			}
		})
	}
}

func TestAWorkerWithoutItsBrokerIsNotReadyUntilItIsBack(t *testing.T) {
	s := newSystem(t, "")
	w := s.start(t, nil)
	s.answerTo(t, "echo", s.ask(t, "echo", bus.Request{}))
	s.server.Down(t)
	await(t, "the news of the outage", func() bool {
		code, body, _ := get(t, w.URL()+"/health/ready")
		return code == 503 && body == `{"ready":false,"checks":{"nats":false,"pools":true}}`+"\n"
	})
	if code, _, _ := get(t, w.URL()+"/health/live"); code != 200 {
		t.Errorf("live: got %d, want 200: it depends on nothing outside", code)
	}
	_, body, _ := get(t, w.URL()+"/health/detailed", "Authorization: Bearer secret")
	var h health
	if err := json.Unmarshal([]byte(body), &h); err != nil || h.Infrastructure.NATS.Healthy || h.Infrastructure.NATS.Since.Before(h.Timestamp.Add(-time.Minute)) || h.Components["echo"].Healthy {
		t.Errorf("detailed: got %s (%v), want since when the broker is away", body, err)
	}
	s.server.Restart(t)
	await(t, "readiness", func() bool { code, _, _ := get(t, w.URL()+"/health/ready"); return code == 200 })
	await(t, "the client", s.Connected)
	s.answerTo(t, "echo", s.ask(t, "echo", bus.Request{}))
}

func TestTheMetricsOfTheContractAreExposed(t *testing.T) {
	s := newSystem(t, `
providers: {gone: {kind: http, url: "http://127.0.0.1:1/"}}
agents:
  probe: {slots: 4, timeout: 20ms, `+fast+`, ladder: [{rung: primary, provider: probe}]}
  falls: {ladder: [{rung: primary, provider: gone}, {rung: static, text: busy}]}
`)
	w := s.start(t, nil)
	s.answerTo(t, "probe", s.ask(t, "probe", bus.Request{Method: "drill"}))
	s.answerTo(t, "probe", s.ask(t, "probe", bus.Request{Input: []byte(`{"sleep_ms":60000}`)}))
	s.answerTo(t, "falls", s.ask(t, "falls", bus.Request{}))
	want := []string{
		`genesis_requests_total{agent="probe",method="drill",status="success"} 1`,
		`genesis_requests_total{agent="probe",method="execute",status="failure"} 1`,
		`genesis_request_duration_seconds_count{agent="probe",method="execute"} 2`,
		`genesis_retry_attempts_total{operation="probe"} 1`,
		`genesis_timeout_errors_total{agent="probe"} 2`,
		`genesis_slots_in_use{agent="probe"} 0`,
		`genesis_slots_total{agent="probe"} 4`,
		`genesis_dead_letters_total{agent="probe",reason="exhausted"} 1`,
		`genesis_redeliveries_total{agent="probe"} 1`,
		`genesis_degraded_total{agent="falls",rung="static"} 1`,
		`genesis_queue_wait_seconds_count{agent="probe"} 2`,
		`genesis_build_info{`,
		`go_goroutines `,
	}
	var missing []string
	await(t, "the metrics", func() bool {
		_, body, _ := get(t, w.URL()+"/metrics")
		missing = missing[:0]
		for _, line := range want {
			if !strings.Contains(body, "\n"+line) {
				missing = append(missing, line)
			}
		}
		return len(missing) == 0
	})
	if len(missing) > 0 {
		t.Errorf("missing: %q", missing)
	}
}

func TestTheHTTPServerIsBounded(t *testing.T) {
	s := newSystem(t, "")
	w, err := New(Options{Config: s.cfg, Bus: s.Bus, Registry: echoing(t, agents.Echo())})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.listener.Close() }()
	if h := w.http; h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 || h.MaxHeaderBytes <= 0 {
		t.Errorf("got %+v, want each limit set", h)
	}
}

// echoing is a registry whose agent echo is a.
func echoing(t *testing.T, a agents.Agent) *agents.Registry {
	t.Helper()
	r := agents.New()
	if err := r.Add("echo", a); err != nil {
		t.Fatal(err)
	}
	return r
}
