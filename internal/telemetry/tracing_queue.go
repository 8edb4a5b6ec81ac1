package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A spanQueue holds ended spans until they are exported. It takes no more than its
// limit, so that an endpoint which is slow or away costs traces, never requests.
type spanQueue struct {
	sdktrace.SpanProcessor // exports in batches, beside the requests

	limit   int64
	waiting *atomic.Int64
	dropped atomic.Uint64
	log     *slog.Logger
	full    sync.Once
}

// newSpanQueue puts a queue before an exporter.
func newSpanQueue(next sdktrace.SpanExporter, s *traceSettings, log *slog.Logger) (*spanExporter, *spanQueue) {
	e := &spanExporter{next: next, endpoint: s.endpoint, log: log, stopped: make(chan struct{})}
	return e, &spanQueue{
		// It has room for more than the limit, so that the drops are seen here.
		SpanProcessor: sdktrace.NewBatchSpanProcessor(e, sdktrace.WithMaxQueueSize(s.queue+1), sdktrace.WithMaxExportBatchSize(s.batch),
			sdktrace.WithBatchTimeout(s.delay), sdktrace.WithExportTimeout(s.patience)),
		limit: int64(s.queue), waiting: &e.waiting, log: log,
	}
}

// OnEnd takes a span, or drops it. It does not block.
func (q *spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.waiting.Add(1) > q.limit {
		q.waiting.Add(-1)
		q.dropped.Add(1)
		q.full.Do(func() {
			q.log.Warn("spans are dropped, because too many wait to be exported; genesis_spans_total counts them",
				"waiting", q.limit, "setting", envQueue)
		})
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// A spanExporter counts what became of spans, and tells when it changes.
type spanExporter struct {
	next     sdktrace.SpanExporter
	endpoint string
	log      *slog.Logger

	waiting          atomic.Int64
	exported, failed atomic.Uint64
	failing          bool          // the last export failed; exports come one at a time
	stopped          chan struct{} // closed when no more will come
}

// ExportSpans exports a batch. A failure is told of here, when it begins and when it
// ends, and not returned.
func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.next.ExportSpans(ctx, spans)
	n := len(spans)
	e.waiting.Add(-int64(n))
	if err != nil {
		e.failed.Add(uint64(n))
	} else {
		e.exported.Add(uint64(n))
	}
	if failed := err != nil; failed != e.failing {
		e.failing = failed
		if failed {
			e.log.Warn("traces cannot be exported and are lost until they can; requests go on", "endpoint", e.endpoint, "error", err)
		} else {
			e.log.Info("traces are exported again", "endpoint", e.endpoint, "lost", e.failed.Load())
		}
	}
	return nil
}

// Shutdown is called when the last batch is done.
func (e *spanExporter) Shutdown(ctx context.Context) error {
	defer close(e.stopped)
	return e.next.Shutdown(ctx)
}

// cut ends the export under way, and those that would follow.
func (e *spanExporter) cut(ctx context.Context) { _ = e.next.Shutdown(ctx) } // it has been told: that is all
