package monitor

import (
	"github.com/prometheus/client_golang/prometheus"

	"genesis/internal/health"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// metrics are those of one monitor. What they tell of the system is from the last round,
// and is left out while the broker is away: a figure that nobody knows is none.
type metrics struct {
	registry *telemetry.Registry
	rounds   prometheus.Counter
	seconds  prometheus.Histogram
	events   *prometheus.CounterVec
	webhook  *prometheus.CounterVec
	dropped  prometheus.Counter
	rescued  *prometheus.CounterVec
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: telemetry.NewRegistry("monitor", version),
		rounds:   prometheus.NewCounter(prometheus.CounterOpts{Name: "genesis_monitor_rounds_total", Help: "Rounds: looks at the whole system."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "genesis_monitor_round_seconds", Help: "How long a round took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "genesis_health_events_total", Help: "Health events that this monitor published.",
		}, []string{"kind", "state"}),
		webhook: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "genesis_webhook_deliveries_total", Help: "Health events posted to the webhook by this monitor, by outcome: delivered or failed.",
		}, []string{"outcome"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "genesis_webhook_dropped_total", Help: "Health events that were not posted, because too many waited.",
		}),
		rescued: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "genesis_rescued_total", Help: "Requests that no worker would have got again, and that this monitor made dead letters of.",
		}, []string{"agent"}),
	}
	m.registry.MustRegister(m.rounds, m.seconds, m.events, m.webhook, m.dropped, m.rescued)
	for _, outcome := range []string{webhookDelivered, webhookFailed} {
		m.webhook.WithLabelValues(outcome)
	}
	return m
}

func (m *metrics) posted(outcome string) {
	if outcome == webhookDropped {
		m.dropped.Inc()
		return
	}
	m.webhook.WithLabelValues(outcome).Inc()
}

// A gauge is a figure of the last round.
type gauge struct {
	desc *prometheus.Desc
}

func newGauge(name, help string, labels ...string) gauge {
	return gauge{prometheus.NewDesc(name, help, labels, nil)}
}

func (g gauge) set(ch chan<- prometheus.Metric, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, labels...)
}

// picture collects the last round when somebody looks.
type picture struct {
	server *Server

	lag, age, redelivered, arrival, service, drain   gauge
	workers, slots, inUse, deadLetters, lost         gauge
	state, used, messages, offline                   gauge
	missing, verified, verifyFailed, leader, natsEnd gauge
}

func newPicture(s *Server) *picture {
	return &picture{
		server:       s,
		lag:          newGauge("genesis_consumer_lag", "Requests of a lane that are not settled.", "agent", "lane"),
		age:          newGauge("genesis_consumer_oldest_age_seconds", "Age of the oldest request of a lane; 0 without any.", "agent", "lane"),
		redelivered:  newGauge("genesis_consumer_redelivered", "Requests of a lane in flight that were delivered before.", "agent", "lane"),
		arrival:      newGauge("genesis_arrival_rate", "Requests a second that arrive.", "agent"),
		service:      newGauge("genesis_service_rate", "Requests a second that are settled.", "agent"),
		drain:        newGauge("genesis_drain_seconds", "How long the lag takes to be worked off; absent when nobody can tell.", "agent"),
		workers:      newGauge("genesis_workers", "Workers that serve an agent.", "agent"),
		slots:        newGauge("genesis_agent_slots", "Slots of an agent over all workers.", "agent"),
		inUse:        newGauge("genesis_agent_slots_in_use", "Slots of an agent that execute a request, over all workers.", "agent"),
		deadLetters:  newGauge("genesis_dead_letters", "Dead letters that are kept.", "agent"),
		lost:         newGauge("genesis_workers_lost", "Workers that vanished without a farewell in the last minutes."),
		state:        newGauge("genesis_health_state", "State of a component: 0 healthy, 1 degraded, 2 unhealthy.", "kind", "name"),
		used:         newGauge("genesis_stream_used_ratio", "How full a stream is by its tightest limit.", "stream"),
		messages:     newGauge("genesis_stream_messages", "Messages in a stream.", "stream"),
		offline:      newGauge("genesis_stream_replicas_offline", "Replicas of a stream that are away or behind.", "stream"),
		missing:      newGauge("genesis_verify_missing", "Requests that the last verification could not account for.", "agent"),
		verified:     newGauge("genesis_verify_last_success_timestamp_seconds", "When the last verification ended that missed nothing; by the leader."),
		verifyFailed: newGauge("genesis_verify_failed", "1 when the last verification missed requests or could not be made, else 0; by the leader."),
		leader:       newGauge("genesis_monitor_leader", "1 for the monitor that leads, else 0."),
		natsEnd:      newGauge("genesis_monitor_nats_connected", "1 while the message bus can be reached, else 0."),
	}
}

// Describe implements prometheus.Collector. The metrics differ from round to round.
func (p *picture) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (p *picture) Collect(ch chan<- prometheus.Metric) {
	s := p.server
	p.leader.set(ch, truth(s.leading.Load()))
	p.natsEnd.set(ch, truth(s.bus.Connected()))
	s.mu.Lock()
	defer s.mu.Unlock()
	p.collectLedger(ch, s)
	for _, known := range s.standings() {
		if known.Component.Kind == bus.KindWorker && known.State == bus.StateHealthy {
			continue // it is forgotten: there is no end of names of workers
		}
		p.state.set(ch, float64(known.State.Rank()), string(known.Component.Kind), known.Component.Name)
	}
	if !s.snapshot.Broker.Connected {
		return
	}
	for name, a := range s.snapshot.Agents {
		p.collectAgent(ch, name, &a)
	}
	lost := 0
	for _, w := range s.snapshot.Workers {
		if !w.Lost.IsZero() && s.snapshot.At.Sub(w.Lost) < health.Forgotten {
			lost++
		}
	}
	p.lost.set(ch, float64(lost))
	for name, stream := range s.snapshot.Streams {
		if !stream.DiscardOld { // full is what such a stream may be
			p.used.set(ch, stream.Full(), name)
		}
		p.messages.set(ch, float64(stream.Messages), name)
		p.offline.set(ch, float64(len(stream.Offline)), name)
	}
}

func (p *picture) collectAgent(ch chan<- prometheus.Metric, name string, a *health.Agent) {
	for _, l := range a.Lanes {
		p.lag.set(ch, float64(l.Lag), name, string(l.Name))
		p.age.set(ch, l.OldestAge.Seconds(), name, string(l.Name))
		p.redelivered.set(ch, float64(l.Redelivered), name, string(l.Name))
	}
	if a.Arrival >= 0 {
		p.arrival.set(ch, a.Arrival, name)
		p.service.set(ch, a.Service, name)
	}
	if drain, ok := drainTime(a); ok {
		p.drain.set(ch, drain.Seconds(), name)
	}
	p.workers.set(ch, float64(a.Workers), name)
	p.slots.set(ch, float64(a.Slots), name)
	p.inUse.set(ch, float64(a.InUse), name)
	p.deadLetters.set(ch, float64(a.DeadLettersKept), name)
}

func (p *picture) collectLedger(ch chan<- prometheus.Metric, s *Server) {
	l := s.verifier.ledger()
	if l == nil {
		return
	}
	p.verifyFailed.set(ch, truth(l.Missing > 0 || l.Problem != ""))
	missing, good := s.verifier.figures()
	for agent, n := range missing {
		p.missing.set(ch, float64(n), agent)
	}
	if !good.IsZero() {
		p.verified.set(ch, float64(good.Unix()))
	}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
