package telemetry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func TestSoManyTracesBeginASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := defaultSampler()
		sampled := func(ctx context.Context, n int) (sampled int) {
			for range n {
				if s.ShouldSample(sdktrace.SamplingParameters{ParentContext: ctx}).Decision == sdktrace.RecordAndSample {
					sampled++
				}
			}
			return sampled
		}
		for second := range 3 {
			if got := sampled(t.Context(), 5000); got != rootsPerSecond {
				t.Errorf("second %d: got %d of 5000 traces, want %d", second, got, rootsPerSecond)
			}
			time.Sleep(time.Second)
		}
		for traceparent, want := range map[string]int{sampledParent: 5000, unsampledParent: 0} {
			ctx := propagator().Extract(t.Context(), textCarrier{&traceparent})
			if got := sampled(ctx, 5000); got != want {
				t.Errorf("spans within %s: got %d, want %d", traceparent, got, want)
			}
		}
	})
}
