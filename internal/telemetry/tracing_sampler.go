package telemetry

import (
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// rootsPerSecond is how many traces a program begins a second unless OTEL_TRACES_SAMPLER
// says otherwise. Below it every request is traced, which is what one wants of a quiet
// system; above it traces cost a fraction of what requests do (docs/BENCHMARKS.md).
const rootsPerSecond = 100

// defaultSampler follows whoever began a trace, and begins so many a second itself.
func defaultSampler() sdktrace.Sampler {
	return sdktrace.ParentBased(&rootLimit{rate.NewLimiter(rootsPerSecond, rootsPerSecond)})
}

// A rootLimit samples as many traces a second as its limiter allows.
type rootLimit struct{ limiter *rate.Limiter }

// ShouldSample implements sdktrace.Sampler.
func (s *rootLimit) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	r := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if s.limiter.Allow() {
		r.Decision = sdktrace.RecordAndSample
	}
	return r
}

// Description implements sdktrace.Sampler.
func (s *rootLimit) Description() string { return fmt.Sprintf("RootLimit{%v/s}", s.limiter.Limit()) }
