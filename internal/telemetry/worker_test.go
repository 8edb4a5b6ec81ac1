package telemetry

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// scrape returns the samples of /metrics that are of Genesis.
func scrape(t *testing.T, r *Registry) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: got %d %s", w.Code, w.Body)
	}
	samples := make(map[string]string)
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSuffix(line, "\n")
		if space := strings.LastIndexByte(line, ' '); strings.HasPrefix(line, "genesis_") {
			samples[line[:space]] = line[space+1:]
		}
	}
	return samples
}

// settled is a settlement of one executed delivery.
func settled(v bus.Verdict, change func(*bus.Settlement)) bus.Settlement {
	s := bus.Settlement{
		Job:     &bus.Job{Agent: "echo", Attempt: 1, Deliveries: 1},
		Verdict: v, Queued: 3 * time.Millisecond, Duration: 20 * time.Millisecond,
	}
	if change != nil {
		change(&s)
	}
	return s
}

func TestASettlementIsCountedWhereItBelongs(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		s    bus.Settlement
		want []string // samples that are 1; every other counter is 0
	}{
		{"an answer", settled(bus.VerdictSuccess, nil), []string{
			`genesis_requests_total{agent="echo",method="execute",status="success"}`,
			`genesis_request_duration_seconds_count{agent="echo",method="execute"}`,
			`genesis_queue_wait_seconds_count{agent="echo"}`,
		}},
		{"a degraded answer by another method", settled(bus.VerdictSuccess, func(s *bus.Settlement) {
			s.Rung, s.Degraded, s.Job.Request.Method = "fallback", true, "price"
		}), []string{
			`genesis_requests_total{agent="echo",method="price",status="success"}`,
			`genesis_request_duration_seconds_count{agent="echo",method="price"}`,
			`genesis_queue_wait_seconds_count{agent="echo"}`,
			`genesis_degraded_total{agent="echo",rung="fallback"}`,
		}},
		{"a timeout that is tried again", settled(bus.VerdictRetryable, func(s *bus.Settlement) {
			s.Err = fmt.Errorf("x: %w", &resilience.TimeoutError{Limit: time.Second})
		}), []string{
			`genesis_retry_attempts_total{operation="echo"}`,
			`genesis_timeout_errors_total{agent="echo"}`,
			`genesis_request_duration_seconds_count{agent="echo",method="execute"}`,
			`genesis_queue_wait_seconds_count{agent="echo"}`,
		}},
		{"the last attempt, redelivered", settled(bus.VerdictExhausted, func(s *bus.Settlement) {
			s.Err, s.Job.Attempt, s.Job.Deliveries = boom, 5, 7
		}), []string{
			`genesis_requests_total{agent="echo",method="execute",status="failure"}`,
			`genesis_dead_letters_total{agent="echo",reason="exhausted"}`,
			`genesis_redeliveries_total{agent="echo"}`,
			`genesis_request_duration_seconds_count{agent="echo",method="execute"}`,
		}},
		{"a malformed request, whose method is not to be trusted", settled(bus.VerdictMalformed, func(s *bus.Settlement) {
			s.Err, s.Duration, s.Job.Attempt, s.Job.Request.Method = boom, 0, 0, "junk"
		}), []string{
			`genesis_requests_total{agent="echo",method="other",status="failure"}`,
			`genesis_dead_letters_total{agent="echo",reason="malformed"}`,
		}},
		{"a rejection", settled(bus.VerdictRejected, func(s *bus.Settlement) {
			s.Err = fmt.Errorf("x: %w", resilience.Reject("breaker open", time.Second))
		}), []string{`genesis_rejected_total{agent="echo",cause="breaker open"}`}},
		{
			"a rejection without a cause", settled(bus.VerdictRejected, func(s *bus.Settlement) { s.Err = resilience.ErrRejected }),
			[]string{`genesis_rejected_total{agent="echo",cause="other"}`},
		},
		{
			"past its deadline, not executed", settled(bus.VerdictExpired, func(s *bus.Settlement) { s.Err, s.Duration = boom, 0 }),
			[]string{`genesis_requests_total{agent="echo",method="execute",status="expired"}`},
		},
		{"cancelled while it was executed", settled(bus.VerdictAnswered, func(s *bus.Settlement) { s.Err = fmt.Errorf("x: %w", bus.ErrCancelled) }), []string{
			`genesis_requests_total{agent="echo",method="execute",status="cancelled"}`,
			`genesis_request_duration_seconds_count{agent="echo",method="execute"}`,
			`genesis_queue_wait_seconds_count{agent="echo"}`,
		}},
		{"a duplicate", settled(bus.VerdictDuplicate, func(s *bus.Settlement) { s.Duration = 0 }), nil},
		{
			"given back by a drain", settled(bus.VerdictDraining, func(s *bus.Settlement) { s.Err = bus.ErrDraining }),
			[]string{`genesis_request_duration_seconds_count{agent="echo",method="execute"}`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRegistry("worker", "dev")
			NewWorker(r).Agent("echo").Observe(tt.s)
			got := scrape(t, r)
			for _, name := range tt.want {
				if got[name] != "1" {
					t.Errorf("%s: got %q, want 1", name, got[name])
				}
				delete(got, name)
			}
			for name, value := range got {
				counter := strings.Contains(name, "_total{") || strings.Contains(name, "_count{")
				if counter && value != "0" {
					t.Errorf("%s: got %s, want 0", name, value)
				}
			}
		})
	}
}

func TestWhatIsCertainToBeAskedForIsThereFromTheStart(t *testing.T) {
	r := NewRegistry("worker", "1.2.3")
	w := NewWorker(r)
	w.Agent("echo")
	w.Slots("echo", func() bus.Stats { return bus.Stats{Slots: 10, InUse: 4} })
	got := scrape(t, r)
	for name, want := range map[string]string{
		`genesis_slots_in_use{agent="echo"}`:                                     "4",
		`genesis_slots_total{agent="echo"}`:                                      "10",
		`genesis_requests_total{agent="echo",method="execute",status="success"}`: "0",
		`genesis_requests_total{agent="echo",method="execute",status="failure"}`: "0",
		`genesis_dead_letters_total{agent="echo",reason="poison"}`:               "0",
		`genesis_redeliveries_total{agent="echo"}`:                               "0",
		`genesis_retry_attempts_total{operation="echo"}`:                         "0",
		`genesis_timeout_errors_total{agent="echo"}`:                             "0",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %s", name, got[name], want)
		}
	}
	for name := range got {
		if strings.Contains(name, `"other"`) {
			t.Errorf("%s: is there before it is needed", name)
		}
	}
}

func TestLabelsAreBoundedWhateverClientsSend(t *testing.T) {
	r := NewRegistry("worker", "dev")
	a := NewWorker(r).Agent("echo")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				a.Observe(settled(bus.VerdictSuccess, func(s *bus.Settlement) { s.Job.Request.Method = fmt.Sprintf("m%d", n) }))
				a.Observe(settled(bus.VerdictSuccess, func(s *bus.Settlement) { s.Degraded, s.Rung = true, fmt.Sprintf("r%d-%d", n, i) }))
			}
		})
	}
	wg.Wait()
	a.Observe(settled(bus.VerdictSuccess, func(s *bus.Settlement) { s.Job.Request.Method = "na\xffme\n" }))
	methods, rungs := map[string]bool{}, map[string]bool{}
	total := 0
	for name, value := range scrape(t, r) {
		if _, rest, ok := strings.Cut(name, `genesis_requests_total{agent="echo",method="`); ok && strings.Contains(rest, "success") {
			method, _, _ := strings.Cut(rest, `"`)
			methods[method] = true
			var n int
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatal(err)
			}
			total += n
		}
		if _, rest, ok := strings.Cut(name, `genesis_degraded_total{agent="echo",rung="`); ok {
			rungs[rest] = true
		}
	}
	if len(methods) != maxMethods+2 || !methods[Other] || !methods["execute"] {
		t.Errorf("methods: got %d %v, want execute, %d more and other", len(methods), methods, maxMethods)
	}
	if len(rungs) != maxRungs+1 {
		t.Errorf("rungs: got %d, want %d and other", len(rungs), maxRungs)
	}
	if total != 801 {
		t.Errorf("requests of all methods: got %d, want 801", total)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	a := NewWorker(NewRegistry("worker", "dev")).Agent("echo")
	s := settled(bus.VerdictSuccess, nil)
	if got := testing.AllocsPerRun(100, func() { a.Observe(s) }); got != 0 {
		t.Errorf("allocations: got %v, want 0", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	a := NewWorker(NewRegistry("worker", "dev")).Agent("echo")
	s := settled(bus.VerdictSuccess, nil)
	for b.Loop() {
		a.Observe(s)
	}
}
