package telemetry_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"genesis/internal/telemetry"
)

func TestWithoutAnEndpointNoTracesAreMade(t *testing.T) {
	const endpoint = "http://127.0.0.1:4318"
	for _, env := range []map[string]string{
		nil,
		{"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SDK_DISABLED": "true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_TRACES_EXPORTER": "none"},
		{"OTEL_TRACES_SAMPLER": "nonsense", "OTEL_BSP_MAX_QUEUE_SIZE": "many"}, // nobody asks for traces
	} {
		var log logBuffer
		tracing := telemetry.NewTracing(t.Context(), telemetry.TracingOptions{Program: "worker", Env: lookup(env), Log: slog.New(slog.NewTextHandler(&log, nil))})
		if tracing != nil || len(log.with("")) > 0 {
			t.Errorf("%v: got %v and the log %q, want no tracing and no word", env, tracing, log.with(""))
		}
		tracing.Close(t.Context())
	}
	if tracing := telemetry.NewTracing(t.Context(), telemetry.TracingOptions{}); tracing != nil {
		t.Errorf("without an environment: got %v, want no tracing", tracing)
	}
}

func TestAVariableThatCannotBeUsedIsNamedInOneLine(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string]map[string]string{ // what the line tells besides the name
		"OTEL_EXPORTER_OTLP_ENDPOINT":           {"localhost:4318": "use a URL", "ftp://x": "http://localhost:4318", "http://": "URL", "http://[": "URL"},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":    {"collector": "use a URL"},
		"OTEL_SDK_DISABLED":                     {"yes": "true or false"},
		"OTEL_TRACES_EXPORTER":                  {"console": "otlp or none", "otlp,zipkin": "otlp or none"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":           {"grpc": "http/protobuf"},
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL":    {"carrier-pigeon": "http/protobuf"},
		"OTEL_EXPORTER_OTLP_COMPRESSION":        {"zstd": "gzip or none"},
		"OTEL_EXPORTER_OTLP_TIMEOUT":            {"10s": "a number", "0": "1 or more"},
		"OTEL_EXPORTER_OTLP_HEADERS":            {"secret": "key=value", "=secret": "key=value", "a=%zz": "percent"},
		"OTEL_RESOURCE_ATTRIBUTES":              {"a": "key=value"},
		"OTEL_EXPORTER_OTLP_CERTIFICATE":        {"/nowhere.pem": "no such file", empty: "no certificate"},
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": {"/nowhere.pem": "no such file"},
		"OTEL_TRACES_SAMPLER":                   {"sometimes": "traceidratio", "parentbased_": "parentbased_", "jaeger_remote": "always_on"},
		"OTEL_TRACES_SAMPLER_ARG":               {"1 %": "0 to 1", "2": "0 to 1", "NaN": "0 to 1"},
		"OTEL_BSP_MAX_QUEUE_SIZE":               {"-1": "1 or more", "many": "a number"},
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":        {"0": "1 or more"},
		"OTEL_BSP_SCHEDULE_DELAY":               {"5s": "a number"},
		"OTEL_BSP_EXPORT_TIMEOUT":               {"": ""},
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":       {"few": "a number"},
	} {
		for value, want := range values {
			env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
			if strings.HasSuffix(name, "_ARG") {
				env["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio"
			}
			env[name] = value
			var log logBuffer
			tracing := telemetry.NewTracing(t.Context(), telemetry.TracingOptions{Program: "worker", Env: lookup(env), Log: slog.New(slog.NewTextHandler(&log, nil))})
			tracing.Close(t.Context())
			lines := log.with("")
			if value == "" {
				if tracing == nil || len(lines) > 0 {
					t.Errorf("%s empty: got %v and %q, want it to count as not set", name, tracing, lines)
				}
				continue
			}
			if tracing != nil || len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], name) || !strings.Contains(lines[0], want) {
				t.Errorf("%s=%s: got %v and %q, want no tracing and one line that tells %q", name, value, tracing, lines, want)
			}
			if strings.HasSuffix(name, "HEADERS") && strings.Contains(strings.Join(lines, ""), "secret") {
				t.Errorf("%s: its value, which may be secret, is told: %q", name, lines)
			}
		}
	}
	var log logBuffer
	telemetry.NewTracing(t.Context(), telemetry.TracingOptions{Log: slog.New(slog.NewTextHandler(&log, nil)), Env: lookup(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_SAMPLER": "x", "OTEL_BSP_MAX_QUEUE_SIZE": "y",
	})})
	if lines := log.with("OTEL_TRACES_SAMPLER", "OTEL_BSP_MAX_QUEUE_SIZE"); len(lines) != 1 || len(log.with("")) != 1 {
		t.Errorf("two at once: got %q, want both in one line", log.with(""))
	}
}

func TestTheStandardVariablesSayWhereAndHow(t *testing.T) {
	r := newReceiver(t)
	tracing := telemetry.NewTracing(t.Context(), telemetry.TracingOptions{Program: "worker", Version: "1.2.3", Env: lookup(map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1/unused", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": r.URL + "/v1/traces",
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc,x-tenant=red", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "false",
		"OTEL_SERVICE_NAME": "our-worker", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.name=not-this",
		"OTEL_TRACES_SAMPLER": "always_on", "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",
	})})
	unsampled := strings.TrimSuffix(traceparent, "1") + "0"
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/x", nil)
	request.Header.Set("traceparent", unsampled)
	tracing.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(httptest.NewRecorder(), request)
	tracing.Close(t.Context())
	spans := r.all()
	if len(spans) != 1 || spans[0].service != "our-worker" || spans[0].trace != traceID || spans[0].resource["deployment.environment.name"] != "test" ||
		spans[0].resource["service.version"] != "1.2.3" || spans[0].resource["service.namespace"] != "genesis" {
		t.Errorf("got %+v, want the span of our-worker", spans)
	}
	if r.header.Get("Authorization") != "Bearer abc" || r.header.Get("X-Tenant") != "red" {
		t.Errorf("got the header %v, want what the environment says", r.header)
	}
}

// TestWhoBeganATraceDecidesWhetherItIsRecorded is the default.
func TestWhoBeganATraceDecidesWhetherItIsRecorded(t *testing.T) {
	r := newReceiver(t)
	tracing := telemetry.NewTracing(t.Context(), telemetry.TracingOptions{Program: "worker", Env: lookup(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL})})
	h := tracing.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, q := range []struct{ method, path, traceparent string }{
		{http.MethodPost, "/v1/recorded", traceparent},
		{http.MethodGet, "/v1/recorded", traceparent},
		{http.MethodPost, "/v1/not-recorded", strings.TrimSuffix(traceparent, "1") + "0"},
		{http.MethodPost, "/v1/ours", ""},
		{http.MethodGet, "/v1/asks-again-and-again", ""},
		{http.MethodGet, "/metrics", traceparent},
	} {
		request := httptest.NewRequestWithContext(t.Context(), q.method, q.path, nil)
		request.Header.Set("traceparent", q.traceparent)
		h.ServeHTTP(httptest.NewRecorder(), request)
	}
	tracing.Close(t.Context())
	got := map[string]int{}
	for _, s := range r.all() {
		path, _ := s.attributes["url.path"].(string)
		got[path]++
	}
	if len(got) != 2 || got["/v1/recorded"] != 2 || got["/v1/ours"] != 1 {
		t.Errorf("got the spans %v, want 2 of /v1/recorded and 1 of /v1/ours", got)
	}
}
