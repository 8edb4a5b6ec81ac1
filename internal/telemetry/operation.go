package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Operations counts what a program does besides requests: the guide's
// MonitoredOperation, with one label where that has a metric of its own for each name.
type Operations struct {
	log      *slog.Logger
	total    *prometheus.CounterVec
	errors   *prometheus.CounterVec
	duration *prometheus.HistogramVec
	progress *prometheus.GaugeVec
}

// NewOperations registers the metrics of operations, once for a registry. log is told of
// those that fail; nil tells nobody, for a program that logs where it handles the errors.
func NewOperations(r *Registry, log *slog.Logger) *Operations {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	labels := []string{"operation"}
	o := &Operations{
		log: log,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "genesis_operations_total", Help: "Operations that were begun.",
		}, labels),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "genesis_operation_errors_total", Help: "Operations that failed.",
		}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "genesis_operation_duration_seconds", Help: "How long operations took, whatever they came to.", Buckets: seconds(),
		}, labels),
		progress: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "genesis_operations_in_progress", Help: "Operations under way.",
		}, labels),
	}
	r.MustRegister(o.total, o.errors, o.duration, o.progress)
	return o
}

// An Operation is one thing that a program does again and again. Make it with
// [Operations.Operation]. It may be used concurrently.
type Operation struct {
	name     string
	log      *slog.Logger
	total    prometheus.Counter
	errors   prometheus.Counter
	duration prometheus.Observer
	progress prometheus.Gauge
}

// Operation returns the operation of that name, which becomes the value of a label: it is
// one of a few that are written in the code, such as "publish".
func (o *Operations) Operation(name string) *Operation {
	return &Operation{
		name: name, log: o.log,
		total: o.total.WithLabelValues(name), errors: o.errors.WithLabelValues(name),
		duration: o.duration.WithLabelValues(name), progress: o.progress.WithLabelValues(name),
	}
}

// Do runs f as one operation and returns its error. It counts it and how long it took;
// a failure is logged with that, with what attrs say of it ("agent", name), and
// with the trace of ctx. A panic counts as a failure and passes through.
func (o *Operation) Do(ctx context.Context, f func(context.Context) error, attrs ...any) (err error) {
	began, returned := time.Now(), false
	o.total.Inc()
	o.progress.Inc()
	defer func() {
		took := time.Since(began)
		o.progress.Dec()
		o.duration.Observe(took.Seconds())
		if err == nil && returned {
			return
		}
		o.errors.Inc()
		if returned {
			o.log.Warn("an operation failed", o.about(ctx, took, err, attrs)...)
		}
	}()
	err = f(ctx)
	returned = true
	return err
}

func (o *Operation) about(ctx context.Context, took time.Duration, err error, attrs []any) []any {
	about := append([]any{"operation", o.name, "duration", took.String(), "error", err}, attrs...)
	if id := TraceIDOf(ctx); id != "" {
		about = append(about, "trace_id", id)
	}
	return about
}
