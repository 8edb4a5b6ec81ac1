package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// mostForTelemetry is what metrics, logs and traces may cost together.
const mostForTelemetry = 0.03

// unrecorded is the trace context of a request whose gateway chose not to record it.
const unrecorded = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

// benchTelemetry compares a worker that drains its queue with all of its telemetry
// with one that has none. The collector is a process of its own, which throws away
// what it gets.
func benchTelemetry(ctx context.Context, b *bench) error {
	a, err := openArena(ctx, standard)
	if err != nil {
		return err
	}
	defer a.close()
	c, err := startHelper(ctx, "collector")
	if err != nil {
		return err
	}
	defer c.stop()
	payload := fmt.Appendf(nil, `{"prompt":%q}`, text(256))
	for _, t := range []telemetryCase{
		{"metrics and logs", nil, "", mostForTelemetry},
		{"and traces, as by default", map[string]string{}, "", mostForTelemetry},
		{"and traces, as by default, of requests from a gateway", map[string]string{}, unrecorded, mostForTelemetry},
		{"and traces of 1 %", map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}, "", mostForTelemetry},
		{"and traces of every request", map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, "", 1},
	} {
		if !b.wants(t.name) {
			continue
		}
		if err := b.telemetry(ctx, a, t, c.url, payload); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// A telemetryCase is one way to trace.
type telemetryCase struct {
	name   string
	env    map[string]string // nil: no traces
	parent string            // what the requests came with
	most   float64           // what it may cost
}

// telemetry runs many short rounds: what is looked for is smaller than what disturbs one.
func (b *bench) telemetry(ctx context.Context, a *arena, t telemetryCase, endpoint string, payload []byte) error {
	var tracing *telemetry.Tracing
	if t.env != nil {
		t.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
		tracing = telemetry.NewTracing(ctx, telemetry.TracingOptions{Program: "bench", Log: slog.Default(), Env: func(name string) (string, bool) {
			value, ok := t.env[name]
			return value, ok
		}})
		defer tracing.Close(ctx)
	}
	filled := func(ctx context.Context, n int) error {
		if err := a.empty(ctx, genesisAgent); err != nil {
			return err
		}
		return a.fillTraced(ctx, genesisAgent, n, payload, t.parent)
	}
	off, on := side{"off", filled, a.work(nil)}, side{"on", filled, a.watched(tracing)}
	n, err := b.calibrate(ctx, off)
	if err != nil {
		return err
	}
	compared, err := b.versus(ctx, a.broker, t.name, off, on, n/3+1, 4*b.rounds)
	if err != nil {
		return err
	}
	r := compared.row(t.name, "jobs/s", target{AtLeast: 1 - t.most})
	without, with := r.BaseCPU.Client+r.BaseCPU.Server, r.GenesisCPU.Client+r.GenesisCPU.Server
	r.Note = fmt.Sprintf("base: none of it; %+.1f %% jobs, %+.1f %% CPU", 100*(compared.ratio-1), 100*(with/without-1))
	b.add(r)
	return nil
}

// watched is a pool with the telemetry of a worker, until it has settled n jobs.
func (a *arena) watched(tracing *telemetry.Tracing) func(context.Context, int) (time.Duration, error) {
	counters := telemetry.NewWorker(telemetry.NewRegistry("bench", "dev")).Agent(genesisAgent)
	logs := telemetry.SettlementLog(slog.New(slog.NewJSONHandler(io.Discard, nil)))
	return func(ctx context.Context, n int) (took time.Duration, err error) {
		c := newCountdown(n)
		deliveries := tracing.Deliveries(genesisAgent, "bench")
		next := handler(echoWithin(tracing.Attempts(genesisAgent, "primary", "echo")))
		p, err := a.worker.NewPool(bus.PoolOptions{
			Agent: genesisAgent, Slots: slots, Reserved: slots / 5, Worker: "bench", DrainTimeout: time.Second,
			Handler: func(ctx context.Context, job *bus.Job) (bus.Answer, error) {
				return next(deliveries.Begin(ctx, job), job)
			},
			Observe: func(s bus.Settlement) {
				deliveries.Settled(s)
				counters.Observe(s)
				logs(s)
				c.one()
			},
		})
		if err != nil {
			return 0, err
		}
		err = working(ctx, func(ctx context.Context) (err error) {
			took, err = c.until(ctx, nil, n)
			return err
		}, p.Run)
		return took, err
	}
}
