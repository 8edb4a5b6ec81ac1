package telemetry

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"genesis/pkg/bus"
)

// Bounds of the labels whose values come from outside.
const (
	maxMethods = 10 // of an agent
	maxRungs   = 8
	maxCauses  = 8
)

// Worker holds the metrics of a worker: what became of requests, how long they
// waited and took, and its slots.
type Worker struct {
	requests     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	wait         *prometheus.HistogramVec
	retries      *prometheus.CounterVec
	timeouts     *prometheus.CounterVec
	deadLetters  *prometheus.CounterVec
	redeliveries *prometheus.CounterVec
	degraded     *prometheus.CounterVec
	rejected     *prometheus.CounterVec

	policies   policies
	slots      slots
	errorRates *errorRates
}

// NewWorker registers the metrics of a worker.
func NewWorker(r *Registry) *Worker {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds()}, labels)
		r.MustRegister(v)
		return v
	}
	w := &Worker{
		requests: counter("genesis_requests_total",
			"Requests that came to an end here, by status: success, failure (a dead letter), expired or cancelled.", "agent", "method", "status"),
		duration: histogram("genesis_request_duration_seconds",
			"How long one execution took, whatever it came to.", "agent", "method"),
		wait: histogram("genesis_queue_wait_seconds",
			"How long a request waited in the queue for its first execution.", "agent"),
		retries: counter("genesis_retry_attempts_total",
			"Failed attempts that are tried again; the operation of a request is its agent, that of a call its provider.", "operation"),
		timeouts: counter("genesis_timeout_errors_total",
			"Executions that hit the bound of their timeout.", "agent"),
		deadLetters: counter("genesis_dead_letters_total",
			"Requests that became dead letters.", "agent", "reason"),
		redeliveries: counter("genesis_redeliveries_total",
			"Deliveries of a request after its first one, for whatever reason.", "agent"),
		degraded: counter("genesis_degraded_total",
			"Answers that did not come from the primary rung.", "agent", "rung"),
		rejected: counter("genesis_rejected_total",
			"Deliveries that were not executed, because a breaker, a limit or a bulkhead refused; they cost no attempt.", "agent", "cause"),
		slots: slots{
			inUse: prometheus.NewDesc("genesis_slots_in_use", "Slots that execute a request.", []string{"agent"}, nil),
			total: prometheus.NewDesc("genesis_slots_total", "Slots of this worker.", []string{"agent"}, nil),
		},
	}
	w.policies = newPolicies(w.retries, counter)
	w.errorRates = newErrorRates()
	r.MustRegister(&w.slots, w.errorRates)
	return w
}

// seconds are the buckets of every duration: an echo takes a fraction of a
// millisecond, a model minutes.
func seconds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}
}

// slots collects the slots of all pools when somebody looks.
type slots struct {
	inUse, total *prometheus.Desc

	mu    sync.Mutex
	pools []pool
}

type pool struct {
	agent string
	stats func() bus.Stats
}

// Describe implements prometheus.Collector.
func (s *slots) Describe(ch chan<- *prometheus.Desc) {
	ch <- s.inUse
	ch <- s.total
}

// Collect implements prometheus.Collector.
func (s *slots) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	pools := s.pools
	s.mu.Unlock()
	for _, p := range pools {
		stats := p.stats()
		ch <- prometheus.MustNewConstMetric(s.inUse, prometheus.GaugeValue, float64(stats.InUse), p.agent)
		ch <- prometheus.MustNewConstMetric(s.total, prometheus.GaugeValue, float64(stats.Slots), p.agent)
	}
}

// Slots adds the pool of an agent, once.
func (w *Worker) Slots(agent string, stats func() bus.Stats) {
	w.slots.mu.Lock()
	defer w.slots.mu.Unlock()
	w.slots.pools = append(slices.Clip(w.slots.pools), pool{agent, stats})
}
