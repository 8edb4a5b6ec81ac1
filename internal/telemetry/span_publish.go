package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"genesis/pkg/bus"
)

// Attributes of spans that are ours; the others are those of the standard.
const (
	keyRequest  = attribute.Key("genesis.request.id")
	keyAgent    = attribute.Key("genesis.agent")
	keyLane     = attribute.Key("genesis.lane")
	keyRung     = attribute.Key("genesis.rung")
	keyProvider = attribute.Key("genesis.provider")
	keyDelivery = attribute.Key("genesis.delivery") // the broker's count
	keyAttempt  = attribute.Key("genesis.attempt")  // executions of the request
	keyCall     = attribute.Key("genesis.call")     // calls within one execution
	keyVerdict  = attribute.Key("genesis.verdict")
	keyDegraded = attribute.Key("genesis.degraded")
	keyReplay   = attribute.Key("genesis.replay")
	keyReason   = attribute.Key("genesis.dead.reason")
)

// messaging is what every span about a message says. The lane is the queue: names with
// a request's id would be as many as there are requests.
func messaging(operation string, kind attribute.KeyValue, agent string, lane bus.Lane) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("nats"), semconv.MessagingOperationName(operation), kind,
		semconv.MessagingDestinationName(queue(agent) + "." + string(lane)),
		keyAgent.String(agent), keyLane.String(string(lane)),
	}
}

// queue is where the requests of an agent go.
func queue(agent string) string { return "genesis.requests." + agent }

// Publishing begins the span of publishing a request, and makes its envelope carry the
// trace on. The caller calls end with what Publish returned; a request that is there
// already is no failure. When tracing is off the envelope stays as it is.
func (t *Tracing) Publishing(ctx context.Context, e *bus.Envelope) (publishing context.Context, end func(bus.Receipt, error)) {
	if t == nil {
		return ctx, func(bus.Receipt, error) {}
	}
	ctx, span := t.tracer.Start(ctx, "publish "+queue(e.Agent), trace.WithSpanKind(trace.SpanKindProducer))
	propagator().Inject(ctx, textCarrier{&e.Traceparent})
	if !span.IsRecording() {
		return ctx, func(bus.Receipt, error) {}
	}
	lane := e.Lane
	if lane == "" {
		lane = bus.LaneInteractive
	}
	span.SetAttributes(messaging("publish", semconv.MessagingOperationTypeSend, e.Agent, lane)...)
	return ctx, func(r bus.Receipt, err error) {
		defer span.End()
		span.SetAttributes(keyRequest.String(r.ID), semconv.MessagingMessageID(r.ID))
		if err != nil && !errors.Is(err, bus.ErrExists) {
			fail(span, publishErrorKind(err), err)
		}
	}
}
