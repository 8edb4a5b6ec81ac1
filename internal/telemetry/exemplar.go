package telemetry

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// exemplarAge is how long a bucket keeps its exemplar at least. A scrape sees only the
// last one, so that to replace it more often is work for nobody.
const exemplarAge = time.Second

// durations observes durations. Those of a trace that is recorded become exemplars,
// which lead from a bucket of the histogram to a trace that fell into it.
type durations struct {
	observer prometheus.Observer
	buckets  []float64
	start    time.Time
	// until is when the exemplar of each bucket may be replaced, in nanoseconds since start.
	until []atomic.Int64
}

// newDurations makes it for one of the histograms whose buckets are seconds.
func newDurations(observer prometheus.Observer) *durations {
	buckets := seconds()
	return &durations{observer: observer, buckets: buckets, start: time.Now(), until: make([]atomic.Int64, len(buckets)+1)}
}

// observe takes a duration, and the traceparent of what took it.
func (d *durations) observe(took time.Duration, traceparent string) {
	value := took.Seconds()
	if recorded(traceparent) && d.due(value) {
		if id := TraceID(traceparent); id != "" {
			// The id is a part of a longer text, which is not to be kept as well.
			d.observer.(prometheus.ExemplarObserver).ObserveWithExemplar(value, prometheus.Labels{"trace_id": strings.Clone(id)})
			return
		}
	}
	d.observer.Observe(value)
}

// due reports whether the bucket of a value takes a new exemplar.
func (d *durations) due(value float64) bool {
	bucket, _ := slices.BinarySearch(d.buckets, value)
	until, now := d.until[bucket].Load(), int64(time.Since(d.start))
	return now >= until && d.until[bucket].CompareAndSwap(until, now+int64(exemplarAge))
}
