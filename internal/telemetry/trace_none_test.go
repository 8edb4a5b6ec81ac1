package telemetry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TestATraceThatIsNotRecordedIsPassedOn sends a request whose client chose not to record.
func TestATraceThatIsNotRecordedIsPassedOn(t *testing.T) {
	got := make(chan string, 1)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { got <- q.Header.Get("traceparent") }))
	defer web.Close()
	r := newReceiver(t)
	s := newSystem(t, `
providers: {web: {kind: http, url: "`+web.URL+`", policy: none}}
agents: {calls: {ladder: [{rung: primary, provider: web}]}}
`, exporting(r))
	const unrecorded = "00-" + traceID + "-" + clientSpan + "-00"
	m := nats.NewMsg("genesis.requests.calls")
	m.Data, m.Header["TraceParent"] = []byte(`{"id":"u-1","prompt":"hi"}`), []string{unrecorded}
	if err := s.server.Connect(t).PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	if traceparent := <-got; traceparent != unrecorded {
		t.Errorf("the service got the traceparent %q, want %q", traceparent, unrecorded)
	}
	s.post("calls", `{"prompt":"hi"}`, "traceparent: "+unrecorded)
	if traceparent := <-got; !strings.HasPrefix(traceparent, "00-"+traceID) || !strings.HasSuffix(traceparent, "-00") {
		t.Errorf("over HTTP the service got the traceparent %q, want the trace %s, not recorded", traceparent, traceID)
	}
	s.post("calls", `{"prompt":"hi"}`, "traceparent: "+traceparent)
	<-got
	for _, span := range r.await(t, traceID, 4) {
		if span.parent == clientSpan && !strings.HasPrefix(span.name, "POST ") {
			t.Errorf("got the span %s, want none of a trace that is not recorded", span.name)
		}
	}
}

// TestARequestWithoutATraceGetsOne looks at what a request says that came without.
func TestARequestWithoutATraceGetsOne(t *testing.T) {
	r := newReceiver(t)
	s := newSystem(t, "", exporting(r))
	if err := s.server.Connect(t).Publish("genesis.requests.echo", []byte(`{"id":"n-1","prompt":"hi"}`)); err != nil {
		t.Fatal(err)
	}
	_, answer := s.post("echo", `{"id":"h-1","prompt":"hi"}`)
	var over struct {
		Metadata struct {
			TraceID string `json:"trace_id"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal([]byte(answer), &over); err != nil || len(over.Metadata.TraceID) != 32 {
		t.Fatalf("got %s, want a result with a trace: %v", answer, err)
	}
	r.await(t, over.Metadata.TraceID, 4)
	await(t, "the other result", func() bool {
		_, err := s.bus.Result(t.Context(), "echo", "n-1")
		return err == nil
	})
	result, err := s.bus.Result(t.Context(), "echo", "n-1")
	if err != nil || result.Meta.TraceID == "" {
		t.Fatalf("got %+v, %v, want a result with a trace", result, err)
	}
	one(t, r.await(t, result.Meta.TraceID, 2), "process genesis.requests.echo").is(t, "genesis-worker", otlp.Span_SPAN_KIND_CONSUMER, "")
}

// TestADeliveryThatIsNotExecutedHasASpanAsWell covers what never reaches an agent.
func TestADeliveryThatIsNotExecutedHasASpanAsWell(t *testing.T) {
	r := newReceiver(t)
	s := newSystem(t, "", exporting(r))
	nc := s.server.Connect(t)
	for verdict, m := range map[string]*nats.Msg{
		"malformed": {Data: []byte(`not JSON`)},
		"expired":   {Data: []byte(`{"prompt":"hi"}`), Header: nats.Header{"Genesis-Deadline": {"2001-01-02T15:04:05Z"}}},
	} {
		m.Subject = "genesis.requests.echo"
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		trace := fmt.Sprintf("%032x", len(verdict))
		m.Header["traceparent"] = []string{"00-" + trace + "-" + clientSpan + "-01"}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		p := one(t, r.await(t, trace, 1), "process genesis.requests.echo")
		p.is(t, "genesis-worker", otlp.Span_SPAN_KIND_CONSUMER, clientSpan)
		p.says(t, map[string]any{"genesis.verdict": verdict})
		if !p.failed || len(p.exceptions) != 1 || p.until.Sub(p.from) > time.Second {
			t.Errorf("%s: got %+v, want a short span that failed", verdict, p)
		}
	}
}
