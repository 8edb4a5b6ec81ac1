package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"genesis/internal/telemetry"
)

// TestACollectorThatIsAwayChangesNothingForRequests runs requests, each of which has
// more spans than the queue takes, beside a collector that refuses and one that hangs.
func TestACollectorThatIsAwayChangesNothingForRequests(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	hung := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung }))
	defer hanging.Close()
	defer close(hung)
	for _, tt := range []struct{ name, endpoint, told, counted string }{
		{"it refuses", closed.URL, "traces cannot be exported", "failed"},
		{"it hangs", hanging.URL, "spans are dropped", "dropped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told time.Time // to stop
			t.Cleanup(func() {
				if took := time.Since(told); took > 10*time.Second {
					t.Errorf("to stop took %s, want some seconds at most", took)
				}
			})
			s := newSystem(t, "", map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": tt.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "3",
			})
			began := time.Now()
			for i := range 20 {
				if code, answer := s.post("echo", fmt.Sprintf(`{"prompt":"%d"}`, i), "traceparent: "+traceparent); code != 200 || !strings.Contains(answer, traceID) {
					t.Fatalf("request %d: got %d %s, want a result of its trace", i, code, answer)
				}
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("20 requests took %s", took)
			}
			for program, url := range map[string]string{"gateway": s.gateway, "worker": s.worker} {
				await(t, "the warning of the "+program, func() bool { return len(s.log.with("level=WARN", "program="+program, tt.told)) > 0 })
				if lines := s.log.with("level=WARN", "program="+program, tt.told); len(lines) != 1 {
					t.Errorf("%s: got %d warnings, want 1: %q", program, len(lines), lines)
				}
				await(t, "the count of the "+program, func() bool { return s.metric(url, `genesis_spans_total{outcome="`+tt.counted+`"}`) > 0 })
				if n := s.metric(url, `genesis_spans_total{outcome="exported"}`); n != 0 {
					t.Errorf("%s: got %v exported spans, want none", program, n)
				}
			}
			t.Cleanup(func() { told = time.Now() })
		})
	}
}

func TestTracesAreExportedAgainWhenTheCollectorIsBack(t *testing.T) {
	r := newReceiver(t)
	refuses := true
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if refuses {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Config.Handler.ServeHTTP(w, q)
	}))
	defer front.Close()
	var log logBuffer
	tracing := telemetry.NewTracing(t.Context(), telemetry.TracingOptions{
		Program: "gateway", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Env: lookup(map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": front.URL + "/v1/traces", "OTEL_BSP_SCHEDULE_DELAY": "1"}),
	})
	request := func() {
		h := tracing.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/x", nil))
	}
	request()
	await(t, "the warning", func() bool { return len(log.with("level=WARN", "traces cannot be exported", "400")) == 1 })
	refuses = false
	request()
	await(t, "the span", func() bool { return len(r.all()) == 1 })
	tracing.Close(t.Context())
	if lines := log.with("level=INFO", "exported again", "lost=1"); len(lines) != 1 {
		t.Errorf("got %q, want one line that tells of the end", lines)
	}
}

func TestTheLastSpansAreExportedAtTheEnd(t *testing.T) {
	r := newReceiver(t)
	tracing := telemetry.NewTracing(t.Context(), telemetry.TracingOptions{Program: "gateway", Env: lookup(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL})})
	h := tracing.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/x", nil))
	ended, end := context.WithCancel(t.Context())
	end() // as the context of a program that was told to stop
	tracing.Close(ended)
	if got := len(r.all()); got != 1 {
		t.Errorf("got %d spans, want 1", got)
	}
}

// metric is a sample of a program's metrics.
func (s *system) metric(url, name string) float64 {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_, text := s.do(q)
	for line := range strings.Lines(text) {
		var value float64
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				s.t.Fatal(err)
			}
			return value
		}
	}
	s.t.Fatalf("%s has no %s", url, name)
	return 0
}

// lookup is an environment of these variables.
func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := env[name]; return value, ok }
}
