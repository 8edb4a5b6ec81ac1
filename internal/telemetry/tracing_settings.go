package telemetry

import (
	"context"
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The variables of OpenTelemetry that are named in more than one place.
const (
	envEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTraces   = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envExporter = "OTEL_TRACES_EXPORTER"
	envSampler  = "OTEL_TRACES_SAMPLER"
	envQueue    = "OTEL_BSP_MAX_QUEUE_SIZE"
	envBatch    = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"

	// defaultEndpoint is that of the standard, for who asks for otlp without saying where.
	defaultEndpoint = "http://localhost:4318"
)

// traceSettings are what the environment says about traces.
type traceSettings struct {
	endpoint string // empty: no traces
	exporter []otlptracehttp.Option
	sampler  sdktrace.Sampler
	follows  bool // the sampler does as whoever began a trace

	service    string
	attributes []attribute.KeyValue

	queue, batch    int
	delay, patience time.Duration
}

// readTraceSettings reads the variables OTEL_*. Its error is everything that cannot be
// used of those that matter: without an endpoint the others do not.
func readTraceSettings(env func(string) (string, bool)) (*traceSettings, error) {
	r := &envReader{env: env}
	s := &traceSettings{endpoint: r.endpoint()}
	if s.endpoint == "" || len(r.errs) > 0 {
		return s, errors.Join(r.errs...)
	}
	s.exporter = append(r.exporter(), otlptracehttp.WithEndpointURL(s.endpoint))
	s.sampler, s.follows = r.sampler()
	s.service, s.attributes = r.get("OTEL_SERVICE_NAME"), r.attributes("OTEL_RESOURCE_ATTRIBUTES")
	s.queue = r.number(envQueue, sdktrace.DefaultMaxQueueSize, 1)
	s.batch = min(s.queue, r.number(envBatch, sdktrace.DefaultMaxExportBatchSize, 1))
	s.delay = r.milliseconds("OTEL_BSP_SCHEDULE_DELAY", sdktrace.DefaultScheduleDelay)
	s.patience = r.milliseconds("OTEL_BSP_EXPORT_TIMEOUT", sdktrace.DefaultExportTimeout)
	for _, limit := range []string{ // read by the SDK itself
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
	} {
		r.number(limit, 0, -1)
	}
	return s, errors.Join(r.errs...)
}

// resource describes the program that the spans are of.
func (s *traceSettings) resource(ctx context.Context, program, version string) (*resource.Resource, error) {
	about := []attribute.KeyValue{
		semconv.ServiceName("genesis-" + program), semconv.ServiceNamespace("genesis"),
		semconv.ServiceVersion(version), semconv.ServiceInstanceID(uuid.NewString()),
	}
	if host, err := os.Hostname(); err == nil {
		about = append(about, semconv.HostName(host))
	}
	about = append(about, s.attributes...) // the last of a key counts
	if s.service != "" {
		about = append(about, semconv.ServiceName(s.service))
	}
	return resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(about...))
}

// endpoint is where to export to; empty for nowhere.
func (r *envReader) endpoint() string {
	switch disabled := strings.ToLower(r.get("OTEL_SDK_DISABLED")); disabled {
	case "true":
		return ""
	case "", "false":
	default:
		r.refuse("OTEL_SDK_DISABLED", disabled, "use true or false")
	}
	exporter := r.get(envExporter)
	switch exporter {
	case "none":
		return ""
	case "", "otlp":
	default:
		r.refuse(envExporter, exporter, "use otlp or none")
	}
	if raw := r.get(envTraces); raw != "" {
		u := r.url(envTraces, raw)
		if u.Path == "" {
			u.Path = "/"
		}
		return u.String()
	}
	raw := r.get(envEndpoint)
	if raw == "" && exporter == "otlp" {
		raw = defaultEndpoint
	}
	if raw == "" {
		return ""
	}
	u := r.url(envEndpoint, raw)
	u.Path = path.Join("/", u.Path, "v1/traces")
	return u.String()
}

// sampler reads which requests are traced, and whether those of a trace that others
// began are when they said so.
func (r *envReader) sampler() (s sdktrace.Sampler, follows bool) {
	name := strings.ToLower(r.get(envSampler))
	if name == "" {
		return defaultSampler(), true
	}
	root, follows := strings.CutPrefix(name, "parentbased_")
	switch root {
	case "always_on":
		s = sdktrace.AlwaysSample()
	case "always_off":
		s = sdktrace.NeverSample()
	case "traceidratio":
		s = sdktrace.TraceIDRatioBased(r.ratio())
	default:
		r.refuse(envSampler, name, "use always_on, always_off or traceidratio, each also with parentbased_ before it")
		return nil, false
	}
	if follows {
		s = sdktrace.ParentBased(s)
	}
	return s, follows
}

// ratio is the argument of the sampler traceidratio.
func (r *envReader) ratio() float64 {
	raw := r.get(envSampler + "_ARG")
	if raw == "" {
		return 1
	}
	ratio, err := strconv.ParseFloat(raw, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		r.refuse(envSampler+"_ARG", raw, "use a number from 0 to 1, such as 0.01")
	}
	return ratio
}
