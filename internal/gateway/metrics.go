package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"genesis/internal/telemetry"
)

// Outcomes of a POST that is not refused; a refused one has its kind of problem.
const (
	outcomeAccepted = "accepted"
	outcomeJoined   = "joined"
)

// metrics are those of one gateway. Every label is one of a bounded set: the agents
// there are, the kinds of problems, the routes.
type metrics struct {
	registry  *telemetry.Registry
	requests  *prometheus.CounterVec
	confirmed prometheus.Histogram
	responses *prometheus.CounterVec

	publish, listAgents *telemetry.Operation
}

func (s *Server) newMetrics() *metrics {
	m := &metrics{
		registry: telemetry.NewRegistry("gateway", s.version),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "genesis_gateway_requests_total",
			Help: "Calls that send a request, by outcome: accepted (published by this call), joined (an earlier call had published it), or the kind of problem it was refused with.",
		}, []string{"agent", "outcome"}),
		confirmed: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "genesis_gateway_accept_seconds",
			Help:    "How long it took the broker to confirm a request.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "genesis_gateway_responses_total", Help: "HTTP responses by route and status.",
		}, []string{"route", "code"}),
	}
	m.registry.Spans(s.tracing)
	operations := telemetry.NewOperations(m.registry, nil) // who answers the client logs why
	m.publish, m.listAgents = operations.Operation("publish"), operations.Operation("list-agents")
	m.registry.MustRegister(m.requests, m.confirmed, m.responses,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "genesis_gateway_waiters", Help: "Callers that wait for a result.",
		}, func() float64 { return float64(s.waiters.count()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "genesis_gateway_nats_connected", Help: "1 while the message bus can be reached, else 0.",
		}, func() float64 {
			if s.bus.Connected() {
				return 1
			}
			return 0
		}))
	return m
}

// accepted counts a request that is taken on.
func (m *metrics) accepted(agent string, p *placement, took time.Duration) {
	outcome := outcomeAccepted
	if p.joined {
		outcome = outcomeJoined
	} else {
		m.confirmed.Observe(took.Seconds())
	}
	m.requests.WithLabelValues(agent, outcome).Inc()
}

// refused counts a request that is not.
func (m *metrics) refused(agent string, k kind) {
	m.requests.WithLabelValues(agent, string(k)).Inc()
}

// responded counts a response.
func (m *metrics) responded(route string, status int) {
	if route == "" {
		route = telemetry.Other
	}
	m.responses.WithLabelValues(route, strconv.Itoa(status)).Inc()
}
