package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// rootKey is where a context has the id of the trace that begins with it.
type rootKey struct{}

// root begins the trace of a request that came without one, if it is to be recorded. Its
// id is made of the request's, so that all deliveries and replays of the request are in
// one trace. The decision is made before a span is, because most are not recorded.
func (t *Tracing) root(ctx context.Context, agent, id string) (begun context.Context, recorded bool) {
	traceID := requestTrace(agent, id)
	asked := t.sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID})
	if asked.Decision == sdktrace.Drop {
		return ctx, false
	}
	return context.WithValue(ctx, rootKey{}, traceID), true
}

// requestTrace is the trace of a request that came without one.
func requestTrace(agent, id string) trace.TraceID {
	var name [128]byte // more than an agent's name and an id have
	sum := sha256.Sum256(append(append(append(name[:0], agent...), '/'), id...))
	return trace.TraceID(sum[:len(trace.TraceID{})])
}

// An idGenerator makes ids by chance, except of a trace whose context says its id.
type idGenerator struct{}

// NewIDs implements sdktrace.IDGenerator.
func (g idGenerator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id, ok := ctx.Value(rootKey{}).(trace.TraceID)
	for !ok || !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64()) //nolint:gosec // an id, no secret
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64()) //nolint:gosec // as above
		ok = true
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements sdktrace.IDGenerator.
func (idGenerator) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64()) //nolint:gosec // an id, no secret
	}
	return id
}
