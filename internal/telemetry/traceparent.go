package telemetry

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const (
	headerTraceparent = "traceparent" // as bus.HeaderTraceparent

	// Where the parts of a W3C traceparent are: 00-<32 trace id>-<16 span id>-<2 flags>.
	traceAt, traceEnd = 3, 35
	spanEnd, flagsEnd = 52, 55
)

// TraceID is the trace id of a W3C traceparent; empty when that is not one.
func TraceID(traceparent string) string {
	if len(traceparent) < flagsEnd || traceparent[traceAt-1] != '-' || traceparent[traceEnd] != '-' {
		return ""
	}
	id := traceparent[traceAt:traceEnd]
	if strings.Trim(id, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}

// TraceIDOf is the id of the trace that ctx belongs to; empty when it belongs to none.
func TraceIDOf(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.HasTraceID() {
		return c.TraceID().String()
	}
	return ""
}

// recorded reports whether a traceparent says that its trace is recorded.
func recorded(traceparent string) bool {
	if len(traceparent) < flagsEnd || traceparent[spanEnd] != '-' {
		return false
	}
	switch traceparent[flagsEnd-1] { // the lowest bit
	case '1', '3', '5', '7', '9', 'b', 'd', 'f':
		return true
	}
	return false
}

// A textCarrier carries a traceparent in one string, as jobs and envelopes have it, and
// nothing else.
type textCarrier struct{ traceparent *string }

var _ propagation.TextMapCarrier = textCarrier{}

// Get returns the traceparent.
func (c textCarrier) Get(name string) string {
	if name == headerTraceparent {
		return *c.traceparent
	}
	return ""
}

// Set writes the traceparent.
func (c textCarrier) Set(name, value string) {
	if name == headerTraceparent {
		*c.traceparent = value
	}
}

// Keys are the names that Get knows.
func (textCarrier) Keys() []string { return []string{headerTraceparent} }

// A natsCarrier is the header of a NATS message as a carrier of a trace context. NATS
// keeps names as they are written: it reads them in whatever case another client wrote
// them, and writes them in the lower case of the standard. (propagation.HeaderCarrier
// reads and writes Traceparent only, which others do not find.)
type natsCarrier map[string][]string

var _ propagation.TextMapCarrier = natsCarrier(nil)

// Get returns the first value of a header.
func (h natsCarrier) Get(name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// Set replaces a header, in whatever case it is there.
func (h natsCarrier) Set(name, value string) {
	for _, key := range h.Keys() {
		if strings.EqualFold(key, name) {
			delete(h, key)
		}
	}
	h[strings.ToLower(name)] = []string{value}
}

// Keys are the names of all headers.
func (h natsCarrier) Keys() []string {
	keys := make([]string, 0, len(h))
	for key := range h {
		keys = append(keys, key)
	}
	return keys
}
