package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// flushPatience bounds how long a program waits at its end for its last spans to be
// taken.
const flushPatience = 3 * time.Second

// TracingOptions say which program makes the spans, and what to do with them.
type TracingOptions struct {
	// Program is "gateway"; its spans are of the service genesis-gateway.
	Program string
	Version string
	// Env looks up variables of the environment, those named OTEL_*; nil knows none.
	Env func(string) (string, bool)
	// Log is told when spans cannot be exported; nil discards it.
	Log *slog.Logger
}

// Tracing makes the spans of one program and exports them by OTLP over HTTP. A nil
// Tracing is off: it makes no spans, and passes on the trace contexts that come. All
// methods may be used concurrently.
type Tracing struct {
	tracer   trace.Tracer
	sampler  sdktrace.Sampler
	follows  bool // the sampler follows whoever began a trace
	provider *sdktrace.TracerProvider
	queue    *spanQueue
	exporter *spanExporter
}

// NewTracing sets tracing up by the standard variables OTEL_*. It is off, and nil is
// returned, when they name no endpoint, or when one of them cannot be used: then the
// log says which, in one line. The endpoint itself is not asked: it may come later.
// The caller calls Close.
func NewTracing(ctx context.Context, o TracingOptions) *Tracing {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := readTraceSettings(o.Env)
	if err != nil {
		o.Log.Warn("no traces are exported, because of the environment", "error", strings.ReplaceAll(err.Error(), "\n", "; "))
		return nil
	}
	if s.endpoint == "" {
		return nil
	}
	t, err := newTracing(ctx, o, s)
	if err != nil {
		o.Log.Warn("no traces are exported", "endpoint", s.endpoint, "error", err)
		return nil
	}
	return t
}

func newTracing(ctx context.Context, o TracingOptions, s *traceSettings) (*Tracing, error) {
	otlp, err := otlptracehttp.New(ctx, s.exporter...)
	if err != nil {
		return nil, fmt.Errorf("make an exporter: %w", err)
	}
	about, err := s.resource(ctx, o.Program, o.Version)
	if err != nil {
		return nil, fmt.Errorf("describe the program: %w", err)
	}
	t := &Tracing{sampler: s.sampler, follows: s.follows}
	t.exporter, t.queue = newSpanQueue(otlp, s, o.Log)
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(t.queue), sdktrace.WithResource(about), sdktrace.WithSampler(s.sampler),
		sdktrace.WithIDGenerator(idGenerator{}))
	t.tracer = t.provider.Tracer("genesis", trace.WithInstrumentationVersion(o.Version))
	return t, nil
}

// Close exports what waits, for 3 seconds at most, and stops. Spans that end later are
// lost. It does nothing when tracing is off.
func (t *Tracing) Close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushPatience)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil { // the rest is not taken in time
		t.exporter.cut(ctx)
	}
	<-t.exporter.stopped
}

// Spans adds what became of the spans, once: those that were exported, those that
// the endpoint did not take, and those that were dropped because too many waited. It
// adds nothing when tracing is off.
func (r *Registry) Spans(t *Tracing) {
	if t == nil {
		return
	}
	for outcome, n := range map[string]func() uint64{
		"exported": t.exporter.exported.Load, "failed": t.exporter.failed.Load, "dropped": t.queue.dropped.Load,
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "genesis_spans_total", Help: "Spans of traces, by what became of them: exported, failed (the endpoint did not take them) or dropped (too many waited).",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 { return float64(n()) }))
	}
}

// propagator is how traces go from program to program.
func propagator() propagation.TextMapPropagator { return propagation.TraceContext{} }
