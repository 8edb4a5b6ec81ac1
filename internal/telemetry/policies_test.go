package telemetry

import (
	"testing"

	"genesis/pkg/resilience"
)

func TestADecisionOfAPolicyIsCountedWhereItBelongs(t *testing.T) {
	for _, tt := range []struct {
		e    resilience.Event
		want string // the sample that is 1; empty for none
	}{
		{resilience.Event{Kind: resilience.EventRetry, Name: "llm"}, `genesis_retry_attempts_total{operation="llm"}`},
		{
			resilience.Event{Kind: resilience.EventRetrySuppressed, Name: "llm", Reason: "budget used up"},
			`genesis_retries_suppressed_total{operation="llm",reason="budget used up"}`,
		},
		{resilience.Event{Kind: resilience.EventTimeout, Name: "llm"}, `genesis_call_timeouts_total{service="llm"}`},
		{
			resilience.Event{Kind: resilience.EventRejected, Name: "llm", Reason: "rate limit"},
			`genesis_call_rejections_total{cause="rate limit",service="llm"}`,
		},
		{resilience.Event{Kind: resilience.EventChaos, Name: "llm", Reason: "drill-7"}, `genesis_chaos_faults_total{service="llm"}`},
		{resilience.Event{Kind: resilience.EventTrip, Name: "llm"}, ""},
		{resilience.Event{Kind: resilience.EventRung, Name: "a"}, ""},
	} {
		r := NewRegistry("worker", "1")
		NewWorker(r).ObservePolicy(tt.e)
		samples := scrape(t, r)
		for sample, value := range samples {
			if value != "0" && sample != tt.want && sample[:18] != "genesis_build_info" {
				t.Errorf("%s: got %s %s, want nothing else", tt.e.Kind, sample, value)
			}
		}
		if tt.want != "" && samples[tt.want] != "1" {
			t.Errorf("%s: got %v, want %s to be 1", tt.e.Kind, samples, tt.want)
		}
	}
}

func TestTheStatesOfBreakersAreThoseOfTheGuide(t *testing.T) {
	r := NewRegistry("worker", "1")
	r.Breakers(func() []resilience.BreakerStats {
		return []resilience.BreakerStats{
			{Name: "a", State: resilience.StateClosed},
			{Name: "b", State: resilience.StateOpen},
			{Name: "c", State: resilience.StateHalfOpen},
		}
	})
	samples := scrape(t, r)
	for service, want := range map[string]string{"a": "0", "b": "1", "c": "2"} {
		if got := samples[`genesis_circuit_breaker_state{service="`+service+`"}`]; got != want {
			t.Errorf("breaker %s: got %q, want %s", service, got, want)
		}
	}
}
