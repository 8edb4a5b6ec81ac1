package telemetry

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/bus"
)

const (
	sampledParent   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	unsampledParent = "00-11111111111111111111111111111111-00f067aa0ba902b7-00"
)

// scrapeAs returns /metrics as who accepts that gets it, and its content type.
func scrapeAs(t *testing.T, r *Registry, accept string) (body, contentType string) {
	t.Helper()
	w, q := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	q.Header.Set("Accept", accept)
	r.Handler().ServeHTTP(w, q)
	if w.Code != 200 {
		t.Fatalf("scrape: got %d %s", w.Code, w.Body)
	}
	return w.Body.String(), w.Header().Get("Content-Type")
}

const openMetrics = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

func TestARecordedTraceIsAnExemplar(t *testing.T) {
	r := NewRegistry("worker", "dev")
	a := NewWorker(r).Agent("echo")
	for _, traceparent := range []string{"", unsampledParent, "00-short-01", sampledParent} {
		a.Observe(settled(bus.VerdictSuccess, func(s *bus.Settlement) { s.Job.Traceparent = traceparent }))
	}
	body, contentType := scrapeAs(t, r, openMetrics)
	if !strings.HasPrefix(contentType, "application/openmetrics-text; version=1.0.0") {
		t.Errorf("content type: got %q, want that of OpenMetrics", contentType)
	}
	for _, want := range []string{
		`genesis_request_duration_seconds_bucket{agent="echo",method="execute",le="0.025"} 4 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.02 `,
		`genesis_queue_wait_seconds_bucket{agent="echo",le="0.005"} 4 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.003 `,
		"# TYPE genesis_requests counter\n",
		`genesis_requests_total{agent="echo",method="execute",status="success"} 4.0` + "\n",
		"# TYPE genesis_error_rate gauge\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("OpenMetrics lacks %q", want)
		}
	}
	if n := strings.Count(body, "trace_id"); n != 2 {
		t.Errorf("got %d exemplars, want 2: a trace that is not recorded is none", n)
	}
	if !strings.HasSuffix(body, "# EOF\n") {
		t.Error("OpenMetrics does not end with EOF")
	}
	plain, contentType := scrapeAs(t, r, "text/plain;version=0.0.4")
	if !strings.HasPrefix(contentType, "text/plain; version=0.0.4") || strings.Contains(plain, "trace_id") {
		t.Errorf("plain text: got %q with exemplars: %v, want none", contentType, strings.Contains(plain, "trace_id"))
	}
	if !strings.Contains(plain, "# TYPE genesis_requests_total counter\n") {
		t.Error("plain text has another name for genesis_requests_total")
	}
}

// TestEveryCounterIsCalledTotal guards the names: OpenMetrics gives any other counter
// another name than plain text does, and alerts would miss it.
func TestEveryCounterIsCalledTotal(t *testing.T) {
	r := NewRegistry("worker", "dev")
	w := NewWorker(r)
	w.Agent("echo")
	NewOperations(r, nil).Operation("round")
	plain, _ := scrapeAs(t, r, "text/plain")
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) counter$`).FindAllStringSubmatch(plain, -1) {
		if !strings.HasSuffix(m[1], "_total") {
			t.Errorf("the counter %s does not end in _total", m[1])
		}
	}
}

func TestABucketKeepsItsExemplarForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry("worker", "dev")
		a := NewWorker(r).Agent("echo")
		see := func(trace string, took time.Duration) {
			a.Observe(settled(bus.VerdictSuccess, func(s *bus.Settlement) {
				s.Job.Traceparent, s.Duration = "00-"+strings.Repeat(trace, 32)+"-00f067aa0ba902b7-01", took
			}))
		}
		expect := func(when string, has ...string) {
			t.Helper()
			body, _ := scrapeAs(t, r, openMetrics)
			for trace, want := range map[string]bool{"a": false, "b": false, "c": false} {
				for _, h := range has {
					want = want || h == trace
				}
				line := regexp.MustCompile(`genesis_request_duration.*` + strings.Repeat(trace, 32)).MatchString(body)
				if line != want {
					t.Errorf("%s: trace %s is an exemplar: %v, want %v", when, trace, line, want)
				}
			}
		}
		see("a", time.Millisecond)
		see("b", time.Millisecond)
		expect("in the same second", "a")
		see("c", time.Minute)
		expect("in another bucket", "a", "c")
		time.Sleep(time.Second)
		see("b", time.Millisecond)
		expect("a second later", "b", "c")
	})
}

func TestCountingWithATraceAllocatesLittle(t *testing.T) {
	a := NewWorker(NewRegistry("worker", "dev")).Agent("echo")
	s := settled(bus.VerdictSuccess, func(s *bus.Settlement) { s.Job.Traceparent = sampledParent })
	a.Observe(s)
	if got := testing.AllocsPerRun(100, func() { a.Observe(s) }); got != 0 {
		t.Errorf("allocations while the exemplar is fresh: got %v, want 0", got)
	}
}
