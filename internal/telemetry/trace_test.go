package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan  = "00f067aa0ba902b7"
	traceparent = "00-" + traceID + "-" + clientSpan + "-01"
)

// exporting is the environment of programs that export to a collector at once.
func exporting(r *receiver) map[string]string {
	return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL, "OTEL_BSP_SCHEDULE_DELAY": "10"}
}

// named are the spans of that name, in the order in which they began.
func named(spans []span, name string) []span {
	var found []span
	for _, s := range spans {
		if s.name == name {
			i := 0
			for i < len(found) && found[i].from.Before(s.from) {
				i++
			}
			found = append(found[:i], append([]span{s}, found[i:]...)...)
		}
	}
	return found
}

// TestOneTraceGoesThroughEverything follows a request that fails, is tried again, becomes
// a dead letter and is replayed with success.
func TestOneTraceGoesThroughEverything(t *testing.T) {
	const request = `{"id":"r-1","prompt":"hi","input":{"fail":"retryable","fail_times":2}}`
	for _, tt := range []struct {
		name   string
		send   func(*testing.T, *system)
		parent string // of the first span
		spans  int
	}{
		{"over HTTP", func(t *testing.T, s *system) {
			if code, answer := s.post("flaky", request, "Traceparent: "+traceparent); code != 200 || !strings.Contains(answer, `"trace_id":"`+traceID+`"`) {
				t.Errorf("got %d %s, want a result of the trace %s", code, answer, traceID)
			}
		}, clientSpan, 9},
		{"from another NATS client, in lower case", func(t *testing.T, s *system) {
			m := nats.NewMsg("genesis.requests.flaky")
			m.Data, m.Header["traceparent"], m.Header["tracestate"] = []byte(request), []string{traceparent}, []string{"vendor=1"}
			if err := s.server.Connect(t).PublishMsg(m); err != nil {
				t.Fatal(err)
			}
		}, clientSpan, 7},
		{"from a NATS client that knows nothing of traces", func(t *testing.T, s *system) {
			if err := s.server.Connect(t).Publish("genesis.requests.flaky", []byte(request)); err != nil {
				t.Fatal(err)
			}
		}, "", 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t)
			s := newSystem(t, "agents: {flaky: {"+fast+", ladder: [{rung: primary, provider: probe}]}}\n", exporting(r))
			tt.send(t, s)
			await(t, "the dead letter", func() bool {
				_, err := s.bus.DeadLetter(t.Context(), "flaky", "r-1")
				return err == nil
			})
			s.genesis("dlq", "replay", "r-1", "--why", "a drill")
			trace := ""
			await(t, "the answer", func() bool {
				result, err := s.bus.Result(t.Context(), "flaky", "r-1")
				trace = result.Meta.TraceID
				return err == nil && result.Success
			})
			if len(trace) != 32 || tt.parent != "" && trace != traceID {
				t.Fatalf("got the trace %q in the result, want %s", trace, traceID)
			}

			spans := r.await(t, trace, tt.spans)
			parent := tt.parent
			if tt.spans == 9 {
				server := one(t, spans, "POST /v1/agents/{agent}/requests")
				server.is(t, "genesis-gateway", otlp.Span_SPAN_KIND_SERVER, parent)
				server.says(t, map[string]any{"http.request.method": "POST", "http.route": "/v1/agents/{agent}/requests", "http.response.status_code": int64(200)})
				publish := one(t, spans, "publish genesis.requests.flaky")
				publish.is(t, "genesis-gateway", otlp.Span_SPAN_KIND_PRODUCER, server.id)
				publish.says(t, about("publish", "send"))
				parent = publish.id
			}
			replay := one(t, spans, "replay genesis.requests.flaky")
			replay.is(t, "genesis-cli", otlp.Span_SPAN_KIND_PRODUCER, parent)
			replay.says(t, about("replay", "send"))
			replay.says(t, map[string]any{"genesis.replay": int64(1), "genesis.dead.reason": "exhausted"})

			processes, attempts := named(spans, "process genesis.requests.flaky"), named(spans, "attempt probe")
			if len(processes) != 3 || len(attempts) != 3 {
				t.Fatalf("got %d spans of deliveries and %d of attempts, want 3 and 3: %+v", len(processes), len(attempts), spans)
			}
			for i, want := range []struct {
				parent            string
				delivery, attempt int64
				verdict           string
				failed            bool
			}{
				{parent, 1, 1, "retryable", true},
				{parent, 2, 2, "exhausted", true},
				{replay.id, 1, 3, "success", false},
			} {
				p, a := processes[i], attempts[i]
				p.is(t, "genesis-worker", otlp.Span_SPAN_KIND_CONSUMER, want.parent)
				p.says(t, about("process", "process"))
				p.says(t, map[string]any{
					"genesis.delivery": want.delivery, "genesis.attempt": want.attempt, "genesis.verdict": want.verdict,
					"messaging.consumer.group.name": "interactive", "messaging.client.id": "w1",
				})
				a.is(t, "genesis-worker", otlp.Span_SPAN_KIND_CLIENT, p.id)
				a.says(t, map[string]any{"genesis.rung": "primary", "genesis.provider": "probe", "genesis.agent": "flaky", "genesis.call": int64(1)})
				if p.failed != want.failed || a.failed != want.failed || want.failed != (len(a.exceptions) == 1) {
					t.Errorf("delivery %d: failed %v, its attempt %v with %q, want %v", i+1, p.failed, a.failed, a.exceptions, want.failed)
				}
				if a.from.Before(p.from) || a.until.After(p.until) {
					t.Errorf("delivery %d: its attempt is not within it", i+1)
				}
			}
			processes[2].says(t, map[string]any{"genesis.rung": "primary", "genesis.degraded": false, "genesis.replay": int64(1)})
			if lines := s.log.with("request_id=r-1", "reason=exhausted", "trace_id="+trace); len(lines) != 1 {
				t.Errorf("the log of the dead letter: got %q, want one line with its trace", lines)
			}
		})
	}
}

// about is what every span about the request says.
func about(operation, kind string) map[string]any {
	return map[string]any{
		"messaging.system": "nats", "messaging.operation.name": operation, "messaging.operation.type": kind,
		"messaging.destination.name": "genesis.requests.flaky.interactive", "messaging.message.id": "r-1",
		"genesis.request.id": "r-1", "genesis.agent": "flaky", "genesis.lane": "interactive",
	}
}

func one(t *testing.T, spans []span, name string) span {
	t.Helper()
	found := named(spans, name)
	if len(found) != 1 {
		t.Fatalf("got %d spans called %s, want 1: %+v", len(found), name, spans)
	}
	return found[0]
}

func (s span) is(t *testing.T, service string, kind otlp.Span_SpanKind, parent string) {
	t.Helper()
	if s.service != service || s.kind != kind || s.parent != parent {
		t.Errorf("span %s: got %s of %s below %s, want %s of %s below %s", s.name, s.kind, s.service, s.parent, kind, service, parent)
	}
}

func (s span) says(t *testing.T, want map[string]any) {
	t.Helper()
	for key, value := range want {
		if s.attributes[key] != value {
			t.Errorf("span %s: %s is %v, want %v", s.name, key, s.attributes[key], value)
		}
	}
}

// TestAProviderGetsTheTraceOfItsAttempt calls a web service that fails once.
func TestAProviderGetsTheTraceOfItsAttempt(t *testing.T) {
	var mu sync.Mutex
	var got []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if got = append(got, q.Header.Get("traceparent")); len(got) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer web.Close()
	yaml := `
policies: {again: {retry: {max_attempts: 2, initial_delay: 1ms}}}
providers: {web: {kind: http, url: "` + web.URL + `", policy: again}}
agents: {calls: {ladder: [{rung: primary, provider: web}]}}
`
	r := newReceiver(t)
	s := newSystem(t, yaml, exporting(r))
	if code, answer := s.post("calls", `{"prompt":"hi"}`, "traceparent: "+traceparent); code != 200 {
		t.Fatalf("got %d %s, want a result", code, answer)
	}
	attempts := named(r.await(t, traceID, 5), "attempt web")
	if len(attempts) != 2 {
		t.Fatalf("got %d attempts, want 2", len(attempts))
	}
	for i, a := range attempts {
		a.says(t, map[string]any{"genesis.call": int64(i + 1)})
		if want := "00-" + traceID + "-" + a.id + "-01"; got[i] != want {
			t.Errorf("call %d: its service got the traceparent %q, want %q", i+1, got[i], want)
		}
	}
	attempts[0].says(t, map[string]any{"error.type": "retryable"})

	t.Run("also when no traces are exported", func(t *testing.T) {
		got = nil
		s := newSystem(t, yaml, nil)
		if code, answer := s.post("calls", `{"prompt":"hi"}`, "traceparent: "+traceparent); code != 200 {
			t.Fatalf("got %d %s, want a result", code, answer)
		}
		if len(got) != 2 || got[0] != traceparent || got[1] != traceparent {
			t.Errorf("its service got the traceparents %q, want that of the client", got)
		}
	})
}

// TestAFailureOfTheGatewayIsToldWithItsTrace cuts the broker off.
func TestAFailureOfTheGatewayIsToldWithItsTrace(t *testing.T) {
	r := newReceiver(t)
	for name, env := range map[string]map[string]string{"with spans": exporting(r), "without": nil} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t, "", env)
			if code, answer := s.post("echo", `{"prompt":"hi"}`); code != 200 { // the agents are known
				t.Fatalf("got %d %s, want a result", code, answer)
			}
			s.server.Down(t)
			await(t, "the end of the connection", func() bool { return s.metric(s.gateway, "genesis_gateway_nats_connected") == 0 })
			if code, answer := s.post("echo", `{"prompt":"hi"}`, "traceparent: "+traceparent); code != 503 {
				t.Fatalf("got %d %s, want 503", code, answer)
			}
			if lines := s.log.with("program=gateway", "a call failed", "request_id=", "trace_id="+traceID); len(lines) != 1 {
				t.Errorf("got %q, want one line with the trace", s.log.with("a call failed"))
			}
			for sample, want := range map[string]float64{
				`genesis_operations_total{operation="publish"}`: 2, `genesis_operation_errors_total{operation="publish"}`: 1,
				`genesis_operations_in_progress{operation="publish"}`: 0, `genesis_operation_duration_seconds_count{operation="publish"}`: 2,
				`genesis_operations_total{operation="list-agents"}`: 0,
			} {
				if got := s.metric(s.gateway, sample); got != want {
					t.Errorf("%s: got %v, want %v", sample, got, want)
				}
			}
			s.server.Restart(t)
		})
	}
	publish := one(t, r.await(t, traceID, 2), "publish genesis.requests.echo")
	publish.says(t, map[string]any{"error.type": "unavailable"})
	if !publish.failed {
		t.Errorf("got %+v, want a span that failed", publish)
	}
}
