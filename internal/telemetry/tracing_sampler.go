package telemetry

import (
	"fmt"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// rootsPerSecond is how many traces a program begins a second unless OTEL_TRACES_SAMPLER
// says otherwise. Below it every request is traced, which is what one wants of a quiet
// system; above it traces cost a fraction of what requests do (docs/BENCHMARKS.md).
const rootsPerSecond = 100

// defaultSampler follows whoever began a trace, and begins so many a second itself.
func defaultSampler() sdktrace.Sampler {
	return sdktrace.ParentBased(&rootLimit{start: time.Now(), limit: rootsPerSecond})
}

// A rootLimit samples the first traces of each second.
type rootLimit struct {
	start time.Time
	limit uint32
	// state is the second after start, and how many traces began in it.
	state atomic.Uint64
}

// ShouldSample implements sdktrace.Sampler.
func (s *rootLimit) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	r := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if p.ParentContext.Value(rootKey{}) != nil || s.allow() { // it was asked already, or is now
		r.Decision = sdktrace.RecordAndSample
	}
	return r
}

func (s *rootLimit) allow() bool {
	second := uint64(time.Since(s.start)/time.Second) << 32 //nolint:gosec // the time since the start
	for {
		state := s.state.Load()
		next := state + 1
		if state>>32 < second>>32 {
			next = second + 1
		}
		if uint32(next) > s.limit { //nolint:gosec // the lower half
			return false
		}
		if s.state.CompareAndSwap(state, next) {
			return true
		}
	}
}

// Description implements sdktrace.Sampler.
func (s *rootLimit) Description() string { return fmt.Sprintf("RootLimit{%d/s}", s.limit) }
