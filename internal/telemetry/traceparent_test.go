package telemetry

import (
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

func TestATraceparentIsReadAsTheStandardSays(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, tt := range []struct {
		traceparent, id string
		recorded        bool
	}{
		{sampledParent, id, true},
		{"00-" + id + "-00f067aa0ba902b7-00", id, false},
		{"00-" + id + "-00f067aa0ba902b7-03", id, true},
		{"cc-" + id + "-00f067aa0ba902b7-01-what-comes-later", id, true},
		{"", "", false},
		{"junk", "", false},
		{"00-00000000000000000000000000000000-00f067aa0ba902b7-01", "", true},
		{"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "", true},
		{"00-" + id + "-00f067aa0ba902b7", "", false},
		{sampledParent[:len(sampledParent)-1], "", false},
		{strings.ReplaceAll(sampledParent, "-", "_"), "", false},
	} {
		if got := TraceID(tt.traceparent); got != tt.id {
			t.Errorf("trace id of %q: got %q, want %q", tt.traceparent, got, tt.id)
		}
		if got := recorded(tt.traceparent); got != tt.recorded {
			t.Errorf("recorded, of %q: got %v, want %v", tt.traceparent, got, tt.recorded)
		}
	}
}

func TestHeadersOfNATSAreReadInAnyCaseAndWrittenInLowerCase(t *testing.T) {
	for _, name := range []string{"traceparent", "Traceparent", "TRACEPARENT", "traceParent"} {
		h := natsCarrier{name: {sampledParent}, "Tracestate": {"vendor=1"}, "X-Team": {"red", "blue"}, "Baggage": {"a=b"}}
		ctx := propagation.TraceContext{}.Extract(t.Context(), h)
		got := trace.SpanContextFromContext(ctx)
		if got.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || !got.IsSampled() || got.TraceState().String() != "vendor=1" {
			t.Errorf("header %s: got %+v, want its trace", name, got)
		}
		child := trace.ContextWithSpanContext(ctx, got.WithSpanID(trace.SpanID{1}))
		propagation.TraceContext{}.Inject(child, h)
		want := map[string][]string{
			"traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-0100000000000000-01"}, "tracestate": {"vendor=1"},
			"X-Team": {"red", "blue"}, "Baggage": {"a=b"},
		}
		if !maps.EqualFunc(h, want, func(a, b []string) bool { return len(a) == len(b) && a[0] == b[0] }) {
			t.Errorf("header %s: got %v, want %v", name, h, want)
		}
	}
}
