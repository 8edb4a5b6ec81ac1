package telemetry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"genesis/pkg/bus"
)

func TestADeliveryThatIsNotRecordedCostsLittle(t *testing.T) {
	tracing := NewTracing(t.Context(), TracingOptions{Program: "worker", Env: func(name string) (string, bool) {
		return map[string]string{envEndpoint: "http://127.0.0.1:1", envSampler: "parentbased_always_off"}[name], true
	}})
	defer tracing.Close(t.Context())
	d, a := tracing.Deliveries("echo", "w1"), tracing.Attempts("echo", "primary", "echo")
	next := func(context.Context) error { return nil }
	for traceparent, most := range map[string]float64{"": 0, unsampledParent: 2} { // its context
		job := &bus.Job{ID: "0199a5e0-71c4-7d2c-a0cf-2a9c3a5d0c11", Agent: "echo", Lane: bus.LaneInteractive, Traceparent: traceparent}
		got := testing.AllocsPerRun(100, func() {
			if err := a.Do(d.Begin(t.Context(), job), next); err != nil {
				t.Error(err)
			}
			d.Settled(bus.Settlement{Job: job, Verdict: bus.VerdictSuccess, Duration: 1})
		})
		if got > most {
			t.Errorf("traceparent %q: got %v allocations, want %v at most", traceparent, got, most)
		}
	}
}

// BenchmarkADelivery measures what the spans of one delivery cost, with one attempt.
func BenchmarkADelivery(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer sink.Close()
	for _, bb := range []struct{ name, endpoint, sampler, traceparent string }{
		{"off", "", "", ""},
		{"off, with a trace", "", "", unsampledParent},
		{"by default", sink.URL, "", ""},
		{"not recorded by its gateway", sink.URL, "", unsampledParent},
		{"1 %", sink.URL, "parentbased_traceidratio", ""},
		{"recorded", sink.URL, "always_on", ""},
	} {
		b.Run(bb.name, func(b *testing.B) {
			t := NewTracing(b.Context(), TracingOptions{Program: "worker", Env: func(name string) (string, bool) {
				switch name {
				case envEndpoint:
					return bb.endpoint, true
				case envSampler:
					return bb.sampler, true
				case envSampler + "_ARG":
					return "0.01", true
				}
				return "", false
			}})
			defer t.Close(b.Context())
			d, a := t.Deliveries("echo", "w1"), t.Attempts("echo", "primary", "echo")
			job := &bus.Job{ID: "0199a5e0-71c4-7d2c-a0cf-2a9c3a5d0c11", Agent: "echo", Lane: bus.LaneInteractive, Attempt: 1, Deliveries: 1}
			next := func(context.Context) error { return nil }
			b.ReportAllocs()
			for b.Loop() {
				job.Traceparent = bb.traceparent
				ctx := d.Begin(b.Context(), job)
				if a != nil {
					_ = a.Do(ctx, next)
				}
				d.Settled(bus.Settlement{Job: job, Verdict: bus.VerdictSuccess, Rung: "primary", Duration: 1})
			}
		})
	}
}
