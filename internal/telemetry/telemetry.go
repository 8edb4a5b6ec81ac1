// Package telemetry turns what the parts of Genesis report into metrics. It is an
// adapter: the parts know nothing of Prometheus, and this package executes nothing.
//
// Each program has a [Registry] of its own, so that two of them in one process
// (genesis up) keep their figures apart. Labels are bounded sets, whatever clients
// send: no label is ever a request id, and what could be anything, such as a
// method, has its first few values and then "other".
package telemetry

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds the metrics of one program.
type Registry struct {
	*prometheus.Registry
}

// NewRegistry returns a registry with the Go runtime's and the process's own metrics,
// and genesis_build_info.
func NewRegistry(program, version string) *Registry {
	r := &Registry{prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "genesis_build_info", Help: "The build that runs; always 1.",
		ConstLabels: prometheus.Labels{"program": program, "version": version, "go": runtime.Version()},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler serves the metrics in the formats of Prometheus: in OpenMetrics to who asks
// for it, with exemplars, else in plain text. It answers at most two scrapes at a time.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Registry: r.Registry, EnableOpenMetrics: true})
}
