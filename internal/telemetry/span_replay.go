package telemetry

import (
	"context"
	"maps"

	"github.com/nats-io/nats.go"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"genesis/pkg/bus"
)

// Replaying begins the span of a replay, in the trace of the request that became the
// dead letter, and makes its header carry the trace on. The caller hands the dead
// letter to bus.Replay, and calls end with what that returned. When tracing is off the
// header stays as it is.
func (t *Tracing) Replaying(ctx context.Context, d *bus.DeadLetter) (replaying context.Context, end func(error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	header := maps.Clone(d.Header)
	if header == nil {
		header = make(nats.Header)
	}
	carrier := natsCarrier(header)
	ctx = propagator().Extract(ctx, carrier)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		var recorded bool
		if ctx, recorded = t.root(ctx, d.Agent, d.ID); !recorded {
			return ctx, func(error) {}
		}
	}
	ctx, span := t.tracer.Start(ctx, "replay "+queue(d.Agent), trace.WithSpanKind(trace.SpanKindProducer))
	propagator().Inject(ctx, carrier)
	d.Header = header
	span.SetAttributes(messaging("replay", semconv.MessagingOperationTypeSend, d.Agent, d.Lane())...)
	span.SetAttributes(keyRequest.String(d.ID), semconv.MessagingMessageID(d.ID), keyReplay.Int(d.Replays+1), keyReason.String(d.Reason))
	return ctx, func(err error) {
		defer span.End()
		if err != nil {
			fail(span, publishErrorKind(err), err)
		}
	}
}
