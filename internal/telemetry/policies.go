package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"genesis/pkg/resilience"
)

// policies are the metrics of what the policies of providers decide. Their labels are
// names of the configuration, and the reasons of package resilience.
type policies struct {
	retries    *prometheus.CounterVec // that of the worker
	suppressed *prometheus.CounterVec
	timeouts   *prometheus.CounterVec
	rejections *prometheus.CounterVec
	faults     *prometheus.CounterVec
}

func newPolicies(retries *prometheus.CounterVec, counter func(name, help string, labels ...string) *prometheus.CounterVec) policies {
	return policies{
		retries: retries,
		suppressed: counter("genesis_retries_suppressed_total",
			"Failed calls of a provider that were not tried again at once, and why.", "operation", "reason"),
		timeouts: counter("genesis_call_timeouts_total",
			"Calls of a provider that hit the bound of its policy.", "service"),
		rejections: counter("genesis_call_rejections_total",
			"Calls of a provider that were not made, because a policy refused.", "service", "cause"),
		faults: counter("genesis_chaos_faults_total",
			"Faults that drills injected into the calls of a provider.", "service"),
	}
}

// ObservePolicy counts one decision of a policy. It is a resilience.Observer.
func (w *Worker) ObservePolicy(e resilience.Event) {
	switch e.Kind {
	case resilience.EventRetry:
		w.policies.retries.WithLabelValues(e.Name).Inc()
	case resilience.EventRetrySuppressed:
		w.policies.suppressed.WithLabelValues(e.Name, e.Reason).Inc()
	case resilience.EventTimeout:
		w.policies.timeouts.WithLabelValues(e.Name).Inc()
	case resilience.EventRejected:
		w.policies.rejections.WithLabelValues(e.Name, e.Reason).Inc()
	case resilience.EventChaos:
		w.policies.faults.WithLabelValues(e.Name).Inc()
	default: // seen in the state of the breakers, or in what became of the request
	}
}

// breakers collects the state of all breakers when somebody looks.
type breakers struct {
	state *prometheus.Desc
	stats func() []resilience.BreakerStats
}

// Describe implements prometheus.Collector.
func (b *breakers) Describe(ch chan<- *prometheus.Desc) { ch <- b.state }

// Collect implements prometheus.Collector.
func (b *breakers) Collect(ch chan<- prometheus.Metric) {
	for _, s := range b.stats() {
		state := 0.0
		switch s.State {
		case resilience.StateOpen:
			state = 1
		case resilience.StateHalfOpen:
			state = 2
		}
		ch <- prometheus.MustNewConstMetric(b.state, prometheus.GaugeValue, state, s.Name)
	}
}

// Breakers adds the breakers, once.
func (r *Registry) Breakers(stats func() []resilience.BreakerStats) {
	r.MustRegister(&breakers{
		state: prometheus.NewDesc("genesis_circuit_breaker_state",
			"State of the breaker of a provider: 0 closed, 1 open, 2 half-open.", []string{"service"}, nil),
		stats: stats,
	})
}
