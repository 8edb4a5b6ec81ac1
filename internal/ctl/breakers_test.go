package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

func TestABreakerOfAllWorkersIsTheWorstOfThem(t *testing.T) {
	at := func(minute int) *time.Time {
		when := time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
		return &when
	}
	rows := mergeBreakers([]bus.BreakersReply{
		{Replica: "b", Breakers: []resilience.BreakerStats{
			{Name: "llm", State: "open", FailureCount: 5, TotalCalls: 5, LastFailureTime: at(5), OpenedAt: at(5), NextProbeAt: at(7)},
			{Name: "db", State: "half_open", SuccessRate: 1, OpenedAt: at(1)},
		}},
		{Replica: "a", Breakers: []resilience.BreakerStats{
			{Name: "llm", State: "open", FailureCount: 5, TotalCalls: 5, LastFailureTime: at(4), OpenedAt: at(4), NextProbeAt: at(6)},
			{Name: "db", State: "closed", SuccessRate: 1},
		}},
		{Replica: "c", Breakers: []resilience.BreakerStats{{Name: "llm", State: "closed", SuccessCount: 30, TotalCalls: 30, SuccessRate: 1}}},
		{Replica: "d"},
	})
	if len(rows) != 2 {
		t.Fatalf("got %+v, want two breakers", rows)
	}
	db, llm := rows[0], rows[1]
	if db.Name != "db" || db.State != "half_open" || db.inState() != "1 of 2" || db.SuccessRate != 1 || !db.OpenedAt.Equal(*at(1)) {
		t.Errorf("db: got %+v", db)
	}
	if llm.State != "open" || llm.inState() != "2 of 3" || llm.TotalCalls != 40 || llm.FailureCount != 10 || llm.SuccessRate != 0.75 ||
		!llm.LastFailureTime.Equal(*at(5)) || !llm.OpenedAt.Equal(*at(4)) || !llm.NextProbeAt.Equal(*at(6)) ||
		llm.Replicas[0].Replica != "a" || llm.Replicas[2].Replica != "c" {
		t.Errorf("llm: got %+v", llm)
	}
}

// replica is a worker that serves commands, and no more.
func (s system) replica(t *testing.T, name, environment string) *resilience.Breaker {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	breaker, err := resilience.NewBreaker(resilience.BreakerOptions{Name: "llm"})
	if err != nil {
		t.Fatal(err)
	}
	var breakers resilience.Breakers
	if err := breakers.Add(breaker); err != nil {
		t.Fatal(err)
	}
	chaos, err := resilience.NewChaos(resilience.ChaosOptions{Environment: environment})
	if err != nil {
		t.Fatal(err)
	}
	verbs := b.BreakerVerbs(name, &breakers)
	maps.Copy(verbs, b.ChaosVerbs(name, environment, chaos))
	s.serves(t, b, verbs)
	return breaker
}

func (system) serves(t *testing.T, b *bus.Bus, verbs map[string]bus.ControlFunc) {
	t.Helper()
	control, err := b.ServeWorker("1.0.0", nil, verbs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := control.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// genesis runs the command line against the system.
func (s system) genesis(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := func(key string) (string, bool) {
		if key == "GENESIS_NATS_URL" {
			return s.URL(), true
		}
		return "", false
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code = Execute(ctx, args, env, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestAnOperatorReachesEveryWorker(t *testing.T) {
	s := newSystem(t, 10)
	if code, _, text := s.genesis(t, "breakers", "ls"); code != 1 || !strings.Contains(text, "no worker is running") {
		t.Errorf("without a worker: got %d, %s", code, text)
	}
	a, b := s.replica(t, "a", "staging"), s.replica(t, "b", "staging")
	code, out, text := s.genesis(t, "breakers", "isolate", "llm", "-o", "json")
	var change breakerChange
	if err := json.Unmarshal([]byte(out), &change); code != 0 || err != nil || len(change.Replicas) != 2 {
		t.Fatalf("isolate: got %d, %s%s", code, out, text)
	}
	if a.State() != resilience.StateOpen || b.State() != resilience.StateOpen {
		t.Errorf("got %s and %s, want both open", a.State(), b.State())
	}
	b.Release()
	if code, out, text := s.genesis(t, "breakers", "ls"); code != 0 || !strings.Contains(out, "1 of 2") {
		t.Errorf("ls: got %d, %s%s, want 1 of 2 open", code, out, text)
	}
	if code, out, text := s.genesis(t, "breakers", "ls", "--replicas"); code != 0 || strings.Count(out, "\nllm") != 2 {
		t.Errorf("ls --replicas: got %d, %s%s, want two lines", code, out, text)
	}
	if code, out, text := s.genesis(t, "breakers", "reset", "llm", "--no-canary"); code != 0 || a.State() != resilience.StateClosed {
		t.Errorf("reset: got %d, %s%s, and %s", code, out, text, a.State())
	}
}

// A worker that does not answer may not have done what it was told, and may be in
// production.
func TestASilentWorkerIsNamed(t *testing.T) {
	s := newSystem(t, 10)
	s.replica(t, "a", "staging")
	old, err := bus.Connect(t.Context(), bus.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(old.Close)
	s.serves(t, old, nil)
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"breakers ls", 0, "not counted: worker replica "},
		{"breakers release llm", 1, "no answer in time"},
		{"chaos ls", 0, "not counted: worker replica "},
		{"chaos add service_failure", 1, "chaos is refused: not every worker says in which environment it runs"},
	} {
		if code, out, text := s.genesis(t, strings.Fields(tt.args)...); code != tt.code || !strings.Contains(text, tt.want) {
			t.Errorf("%s: got %d, %s%s, want %d and %q", tt.args, code, out, text, tt.code, tt.want)
		}
	}
}

func TestOneWorkerInProductionRefusesForAll(t *testing.T) {
	s := newSystem(t, 10)
	if code, out, text := s.genesis(t, "chaos", "add", "service_failure"); code != 0 || !strings.Contains(text, "no worker is running now") {
		t.Errorf("without a worker: got %d, %s%s", code, out, text)
	}
	s.replica(t, "a", "staging")
	if code, out, text := s.genesis(t, "chaos", "add", "network_latency"); code != 0 {
		t.Errorf("in staging: got %d, %s%s", code, out, text)
	}
	s.replica(t, "b", "production")
	if code, out, text := s.genesis(t, "chaos", "add", "cpu_spike"); code != 1 || !strings.Contains(text, "worker b runs in production") {
		t.Errorf("with one in production: got %d, %s%s", code, out, text)
	}
	if code, out, text := s.genesis(t, "chaos", "ls"); code != 0 || strings.Contains(out, "cpu_spike") || !strings.Contains(out, "network_latency") {
		t.Errorf("ls: got %d, %s%s", code, out, text)
	}
}
