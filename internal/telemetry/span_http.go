package telemetry

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Handler puts a server's requests into the traces that they came with, so that the
// contexts of their handlers say so, and makes a span of each. Only what is below /v1/
// belongs to traces; only a POST begins one: whoever asks again and again for an answer
// is no story of its own. When tracing is off it makes no spans.
func (t *Tracing) Handler(next http.Handler) http.Handler {
	if t == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(headerTraceparent) != "" {
				r = r.WithContext(propagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
			}
			next.ServeHTTP(w, r)
		})
	}
	return otelhttp.NewHandler(routed(next), "",
		otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagator()), otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithFilter(func(r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, "/v1/") && (r.Method == http.MethodPost || r.Header.Get(headerTraceparent) != "")
		}))
}

// routed tells the span of a request which route it took: a mux knows that only when it
// has chosen.
func routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if _, route, ok := strings.Cut(r.Pattern, " "); ok {
			trace.SpanFromContext(r.Context()).SetAttributes(semconv.HTTPRoute(route))
		}
	})
}

// Inject writes the trace that ctx belongs to into the header of an HTTP request.
func Inject(ctx context.Context, header http.Header) {
	propagator().Inject(ctx, propagation.HeaderCarrier(header))
}
