package telemetry

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"genesis/pkg/resilience"
)

// attempts makes a span of each attempt of a rung. It is a resilience.Policy.
type attempts struct {
	tracer trace.Tracer
	name   string
	start  []trace.SpanStartOption
	about  []attribute.KeyValue
}

// Attempts returns the policy that makes a span of each attempt of a rung: the outermost
// around one attempt, so that an attempt which a breaker rejects is seen as well.
// It makes none for a delivery that is not recorded. Nil when tracing is off.
func (t *Tracing) Attempts(agent, rung, provider string) resilience.Policy {
	if t == nil {
		return nil
	}
	return &attempts{
		tracer: t.tracer, name: "attempt " + provider,
		start: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)},
		about: []attribute.KeyValue{keyAgent.String(agent), keyRung.String(rung), keyProvider.String(provider)},
	}
}

// Do implements resilience.Policy.
func (a *attempts) Do(ctx context.Context, next resilience.Func) error {
	within, ok := trace.SpanFromContext(ctx).(*delivery)
	if !ok {
		return next(ctx)
	}
	ctx, span := a.tracer.Start(ctx, a.name, a.start...)
	defer span.End() // records a panic, too
	span.SetAttributes(append(slices.Clip(a.about), keyCall.Int(int(within.calls.Add(1))))...)
	err := next(ctx)
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		fail(span, "cancelled", err)
	default:
		fail(span, errorKind(err), err)
	}
	return err
}
