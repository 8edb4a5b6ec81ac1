package telemetry_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A span is one that was exported, as the collector got it.
type span struct {
	service, name     string
	trace, id, parent string
	kind              otlp.Span_SpanKind
	failed            bool
	attributes        map[string]any
	exceptions        []string
	from, until       time.Time
	resource          map[string]any
}

// A receiver is an OTLP collector that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []span
	header http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &export)
		}
		if err != nil || q.URL.Path != "/v1/traces" || q.Method != http.MethodPost {
			t.Errorf("collector: got %s %s, %v; want a POST of spans to /v1/traces", q.Method, q.URL.Path, err)
		}
		r.keep(&export, q.Header)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) keep(export *collector.ExportTraceServiceRequest, header http.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = header
	for _, of := range export.ResourceSpans {
		about := values(of.Resource.Attributes)
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				kept := span{
					name: s.Name, trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId),
					kind: s.Kind, failed: s.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR, attributes: values(s.Attributes),
					from: time.Unix(0, int64(s.StartTimeUnixNano)), until: time.Unix(0, int64(s.EndTimeUnixNano)),
				}
				kept.resource = about
				kept.service, _ = about["service.name"].(string)
				for _, e := range s.Events {
					if text, ok := values(e.Attributes)["exception.message"].(string); ok && e.Name == "exception" {
						kept.exceptions = append(kept.exceptions, text)
					}
				}
				r.spans = append(r.spans, kept)
			}
		}
	}
}

func values(pairs []*common.KeyValue) map[string]any {
	m := make(map[string]any, len(pairs))
	for _, p := range pairs {
		switch v := p.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			m[p.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			m[p.Key] = v.IntValue
		case *common.AnyValue_BoolValue:
			m[p.Key] = v.BoolValue
		}
	}
	return m
}

// all are the spans that have come.
func (r *receiver) all() []span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]span(nil), r.spans...)
}

// await returns the spans of a trace once there are n of them, or all that came.
func (r *receiver) await(t *testing.T, trace string, n int) []span {
	t.Helper()
	var found []span
	await(t, "the spans of the trace", func() bool {
		found = found[:0]
		for _, s := range r.all() {
			if s.trace == trace {
				found = append(found, s)
			}
		}
		return len(found) >= n
	})
	return found
}

// await polls until f is true.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}
