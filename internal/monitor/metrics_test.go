package monitor

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"genesis/internal/config"
	"genesis/internal/health"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// scrape is what a monitor's metrics say.
func scrape(t *testing.T, m *metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.registry.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// series are the names of metrics with their labels, as name{a,b}.
func series(text string) map[string]bool {
	label := regexp.MustCompile(`([a-z_]+)="`)
	all := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		name, rest, _ := strings.Cut(line, " ")
		if name == "#" || name == "" {
			continue
		}
		name, _, _ = strings.Cut(name, "{")
		var labels []string
		if _, inner, has := strings.Cut(line, "{"); has {
			for _, found := range label.FindAllStringSubmatch(inner, -1) {
				labels = append(labels, found[1])
			}
		}
		_ = rest
		all[name+"{"+strings.Join(labels, ",")+"}"] = true
	}
	return all
}

func TestTheMetricsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	cfg := testConfig(func(c *config.Config) { c.Monitor.VerifyInterval = config.Duration(200 * time.Millisecond) })
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo")
	end := work(t, server, "w2", idle(), "probe")
	bury(t, b, letter("echo", "1", "a", time.Now()))
	m := start(t, server.URL(), cfg)
	await(t, "both workers are seen", func() bool { return len(m.workersView()) == 2 })
	end(true)
	await(t, "a worker is lost, and the ledger verified", func() bool {
		text := scrape(t, m.metrics)
		return containsLine(text, "genesis_workers_lost 1") && containsLine(text, `genesis_health_events_total{kind="worker",state="unhealthy"} 1`) && strings.Contains(text, "\ngenesis_verify_last_success") && strings.Contains(text, "\ngenesis_drain_seconds")
	})

	text := scrape(t, m.metrics)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "go_") && !strings.HasPrefix(p.Metric, "process_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	got := series(text)
	for _, want := range []string{
		"genesis_consumer_lag{agent,lane}", "genesis_consumer_oldest_age_seconds{agent,lane}", "genesis_consumer_redelivered{agent,lane}",
		"genesis_arrival_rate{agent}", "genesis_service_rate{agent}", "genesis_drain_seconds{agent}",
		"genesis_workers{agent}", "genesis_agent_slots{agent}", "genesis_agent_slots_in_use{agent}", "genesis_dead_letters{agent}",
		"genesis_workers_lost{}", "genesis_health_state{kind,name}",
		"genesis_stream_used_ratio{stream}", "genesis_stream_messages{stream}", "genesis_stream_replicas_offline{stream}",
		"genesis_verify_missing{agent}", "genesis_verify_last_success_timestamp_seconds{}", "genesis_verify_failed{}",
		"genesis_monitor_leader{}", "genesis_monitor_rounds_total{}", "genesis_monitor_round_seconds_count{}", "genesis_monitor_nats_connected{}",
		"genesis_health_events_total{kind,state}", "genesis_webhook_deliveries_total{outcome}", "genesis_webhook_dropped_total{}",
		"genesis_operations_total{operation}", "genesis_operation_errors_total{operation}", "genesis_operations_in_progress{operation}",
	} {
		if !got[want] {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, want := range []string{
		`genesis_consumer_lag{agent="echo",lane="batch"} 0`, `genesis_workers{agent="echo"} 1`, `genesis_workers{agent="probe"} 0`, `genesis_agent_slots{agent="echo"} 10`,
		`genesis_dead_letters{agent="echo"} 1`, `genesis_dead_letters{agent="probe"} 0`, `genesis_health_state{kind="worker",name="w2"} 2`,
		"genesis_monitor_leader 1", "genesis_monitor_nats_connected 1", "genesis_verify_failed 0", `genesis_verify_missing{agent="echo"} 0`,
		`genesis_health_events_total{kind="worker",state="unhealthy"} 1`, `genesis_webhook_deliveries_total{outcome="delivered"} 0`,
	} {
		if !containsLine(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}

	server.Down(t)
	await(t, "it has noticed the outage", func() bool { return shown(m) != nil })
	await(t, "a round without the broker", passed(m, 2))
	text = scrape(t, m.metrics)
	if !containsLine(text, "genesis_monitor_nats_connected 0") || !containsLine(text, `genesis_health_state{kind="dependency",name="nats"} 2`) {
		t.Error("without the broker: want that it is away, and unhealthy")
	}
	if got := series(text); got["genesis_consumer_lag{agent,lane}"] || got["genesis_stream_messages{stream}"] || got["genesis_workers{agent}"] {
		t.Error("without the broker: got figures that nobody knows")
	}
	server.Restart(t)
}

// Each worker has a name of its own: those who are forgotten leave no series behind.
func TestAForgottenWorkerHasNoSeries(t *testing.T) {
	t.Parallel()
	m, _ := serve(t)
	for i, c := range []bus.Component{{Kind: bus.KindWorker, Name: "w1"}, {Kind: bus.KindWorker, Name: "w2"}, agentEcho()} {
		state := []bus.HealthState{bus.StateHealthy, bus.StateUnhealthy, bus.StateHealthy}[i]
		m.watch.Commit(bus.StoredHealthEvent{HealthEvent: bus.HealthEvent{ID: c.Name, Component: c, Data: bus.HealthData{State: state}}, Sequence: uint64(i + 1)})
	}
	var got []string
	for line := range strings.SplitSeq(scrape(t, m.metrics), "\n") {
		if strings.HasPrefix(line, "genesis_health_state{") {
			got = append(got, line)
		}
	}
	want := []string{`genesis_health_state{kind="agent",name="echo"} 0`, `genesis_health_state{kind="worker",name="w2"} 2`}
	if !slices.Equal(got, want) {
		t.Errorf("states: got %q, want %q", got, want)
	}
}

func TestBeforeTheStatesAreReadNobodyKnowsThem(t *testing.T) {
	t.Parallel()
	m, url := serve(t)
	var s Status
	if code := get(t, url+"/status", nil, &s); code != http.StatusOK || s.Status != health.StatusDegraded || !strings.Contains(s.Message, "not known yet") || s.AffectedServices[0] != "monitor" {
		t.Errorf("status: got %d %+v, want degraded: it is not known", code, s)
	}
	m.looked = time.Now()
	if o := m.overview(); !o.Round.IsZero() {
		t.Errorf("what the lease tells: got a round at %v, want none", o.Round)
	}
}

func TestAVerificationThatCouldNotBeMadeIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		every time.Duration
		err   error
		want  time.Duration
	}{
		{time.Hour, nil, time.Hour},
		{time.Hour, bus.ErrUnavailable, time.Minute},
		{time.Second, bus.ErrUnavailable, time.Second},
	} {
		if got := (&verifier{every: tt.every}).rest(tt.err); got != tt.want {
			t.Errorf("every %s, after %v: got %s, want %s", tt.every, tt.err, got, tt.want)
		}
	}
}
