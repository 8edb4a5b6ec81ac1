package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// rateSeconds is how far the error rate looks back.
const rateSeconds = 60

// A window counts what came to an end within the last minute, and what of it failed.
// It keeps a tally of each second, so that it forgets as evenly as it counts, and
// costs nothing while nobody counts or looks.
type window struct {
	start time.Time

	mu      sync.Mutex
	tallies [rateSeconds]tally
}

// tally is what ended in one second after the start.
type tally struct {
	second           int64
	requests, errors uint64
}

func newWindow() *window { return &window{start: time.Now()} }

func (w *window) second() int64 { return int64(time.Since(w.start) / time.Second) }

// add counts the end of one request.
func (w *window) add(failed bool) {
	second := w.second()
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.tallies[second%rateSeconds]
	if t.second != second {
		*t = tally{second: second}
	}
	t.requests++
	if failed {
		t.errors++
	}
}

// ended sums up the last minute.
func (w *window) ended() (requests, errors uint64) {
	after := w.second() - rateSeconds
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.tallies {
		if t := &w.tallies[i]; t.second > after {
			requests, errors = requests+t.requests, errors+t.errors
		}
	}
	return requests, errors
}

// errorRates collects the error rate of each agent when somebody looks.
type errorRates struct {
	rate *prometheus.Desc

	mu      sync.Mutex
	windows map[string]*window // by agent
}

func newErrorRates() *errorRates {
	return &errorRates{
		rate: prometheus.NewDesc("genesis_error_rate",
			"Part of the requests that ended here within the last minute and failed or expired; 0 without any.", []string{"agent"}, nil),
		windows: make(map[string]*window),
	}
}

func (e *errorRates) window(agent string) *window {
	e.mu.Lock()
	defer e.mu.Unlock()
	w, ok := e.windows[agent]
	if !ok {
		w = newWindow()
		e.windows[agent] = w
	}
	return w
}

// Describe implements prometheus.Collector.
func (e *errorRates) Describe(ch chan<- *prometheus.Desc) { ch <- e.rate }

// Collect implements prometheus.Collector.
func (e *errorRates) Collect(ch chan<- prometheus.Metric) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for agent, w := range e.windows {
		rate := 0.0
		if requests, errors := w.ended(); requests > 0 {
			rate = float64(errors) / float64(requests)
		}
		ch <- prometheus.MustNewConstMetric(e.rate, prometheus.GaugeValue, rate, agent)
	}
}

// Ended tells how many requests of an agent came to an end here within the last
// minute, and how many of those failed (became a dead letter) or expired. Both are 0 for
// an agent whose deliveries are not counted (see [Worker.Agent]).
func (w *Worker) Ended(agent string) (requests, errors uint64) {
	w.errorRates.mu.Lock()
	counted := w.errorRates.windows[agent]
	w.errorRates.mu.Unlock()
	if counted == nil {
		return 0, 0
	}
	return counted.ended()
}
