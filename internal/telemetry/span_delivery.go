package telemetry

import (
	"context"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"genesis/pkg/bus"
)

// Deliveries makes the spans of one agent in a worker: one for each delivery of a
// request, from its execution to its settlement. Make it with [Tracing.Deliveries].
type Deliveries struct {
	tracing *Tracing // nil: off
	name    string
	lanes   map[bus.Lane][]attribute.KeyValue
	start   []trace.SpanStartOption

	mu sync.Mutex
	// open are the spans of the deliveries under way. There are at most as many as
	// slots, and only those that are recorded.
	open map[*bus.Job]*delivery
}

// A delivery is the span of one delivery. It counts the calls that are made for it.
type delivery struct {
	trace.Span
	calls atomic.Int32
}

// Deliveries makes the spans of an agent's deliveries at a worker.
func (t *Tracing) Deliveries(agent, worker string) *Deliveries {
	d := &Deliveries{}
	if t == nil {
		return d
	}
	d.tracing, d.name = t, "process "+queue(agent)
	d.start = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	d.lanes, d.open = make(map[bus.Lane][]attribute.KeyValue), make(map[*bus.Job]*delivery)
	for _, lane := range bus.Lanes() {
		d.lanes[lane] = append(messaging("process", semconv.MessagingOperationTypeProcess, agent, lane),
			semconv.MessagingConsumerGroupName(string(lane)), semconv.MessagingClientID(worker))
	}
	return d
}

// Begin puts an execution into its request's trace: calls made with the context that
// it returns are part of it. It begins the span of the delivery, which Settled ends. A
// request that came without a trace gets one, if it is to be recorded; its job says so.
// When tracing is off, the context carries the trace that came.
func (d *Deliveries) Begin(ctx context.Context, job *bus.Job) context.Context {
	if job.Traceparent != "" {
		ctx = propagator().Extract(ctx, textCarrier{&job.Traceparent})
	}
	if d.tracing == nil {
		return ctx
	}
	if came := trace.SpanContextFromContext(ctx); !came.IsValid() {
		var recorded bool
		if ctx, recorded = d.tracing.root(ctx, job.Agent, job.ID); !recorded {
			return ctx
		}
	} else if d.tracing.follows && !came.IsSampled() {
		return ctx
	}
	ctx, span := d.tracing.tracer.Start(ctx, d.name, d.start...)
	if !span.IsRecording() {
		return ctx
	}
	s := &delivery{Span: span}
	span.SetAttributes(d.about(job)...)
	ctx = trace.ContextWithSpan(ctx, s)
	if TraceID(job.Traceparent) == "" { // for its result, its metrics and the log
		propagator().Inject(ctx, textCarrier{&job.Traceparent})
	}
	d.mu.Lock()
	d.open[job] = s
	d.mu.Unlock()
	return ctx
}

// Settled ends the span of a delivery, with what it came to. One that was not executed
// gets a span of no length.
func (d *Deliveries) Settled(s bus.Settlement) {
	if d.tracing == nil {
		return
	}
	span := d.take(s.Job)
	if span == nil {
		if s.Duration > 0 {
			return // it was executed, and is not recorded
		}
		if span = d.unexecuted(s.Job); span == nil {
			return
		}
	}
	defer span.End()
	span.SetAttributes(keyVerdict.String(string(s.Verdict)))
	switch s.Verdict {
	case bus.VerdictSuccess:
		span.SetAttributes(keyRung.String(s.Rung), keyDegraded.Bool(s.Degraded))
	case bus.VerdictAnswered, bus.VerdictDuplicate, bus.VerdictDraining: // nothing went wrong with it
	default:
		fail(span, string(s.Verdict), s.Err)
	}
}

// unexecuted is the span of a delivery that came to no execution; nil when it is not recorded.
func (d *Deliveries) unexecuted(job *bus.Job) *delivery {
	d.Begin(context.Background(), job) //nolint:forbidigo // a settlement is told without a context
	return d.take(job)
}

// take returns the open span of a delivery; nil when there is none.
func (d *Deliveries) take(job *bus.Job) *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	span := d.open[job]
	delete(d.open, job)
	return span
}

// about is what the span of a delivery says from its beginning.
func (d *Deliveries) about(job *bus.Job) []attribute.KeyValue {
	lane := d.lanes[job.Lane]
	about := append(make([]attribute.KeyValue, 0, len(lane)+5), lane...)
	about = append(about, keyRequest.String(job.ID), semconv.MessagingMessageID(job.ID),
		keyDelivery.Int64(int64(job.Deliveries)), keyAttempt.Int(job.Earlier+job.Attempt)) //nolint:gosec // a count of deliveries
	if job.Replays > 0 {
		about = append(about, keyReplay.Int(job.Replays))
	}
	return about
}
