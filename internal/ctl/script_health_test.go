package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"genesis/internal/config"
	"genesis/internal/health"
	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// healthCommands play those who know how the system is, at a broker without programs.
func healthCommands(t *testing.T) map[string]func(*testscript.TestScript, bool, []string) {
	t.Helper()
	return map[string]func(*testscript.TestScript, bool, []string){
		"broker":  func(ts *testscript.TestScript, _ bool, args []string) { scriptBroker(ts, t, args) },
		"health":  scriptHealth,
		"monitor": scriptMonitor,
		"worker":  scriptWorker,

		"rmconsumer": scriptRemoveConsumer,
	}
}

type brokerKey struct{}

// broker starts a broker with the streams of the built-in configuration and sets
// GENESIS_NATS_URL. broker down stops it, broker up starts it again.
func scriptBroker(ts *testscript.TestScript, t *testing.T, args []string) { //nolint:thelper // it is a command of a script
	kept := ts.Value(brokerKey{}).(**bustest.Server)
	switch {
	case len(args) == 1 && args[0] == "down":
		(*kept).Down(t)
		return
	case len(args) == 1 && args[0] == "up":
		(*kept).Restart(t)
		return
	case len(args) > 0:
		ts.Fatalf("usage: broker [down|up]")
	}
	*kept = bustest.Start(t)
	ts.Defer((*kept).Stop)
	ts.Setenv("GENESIS_NATS_URL", (*kept).URL())
	b := scriptBus(ts)
	ts.Check(program.Prepare(scriptStep(ts), b, config.Default()))
}

func scriptBus(ts *testscript.TestScript) *bus.Bus {
	b, err := bus.Connect(scriptStep(ts), bus.Options{URL: ts.Getenv("GENESIS_NATS_URL")})
	ts.Check(err)
	ts.Defer(b.Close)
	return b
}

// health COMPONENT STATE REASON [AGE] publishes a health event, as a monitor does.
func scriptHealth(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: health COMPONENT STATE REASON [AGE]")
	}
	component, err := bus.ParseComponent(args[0])
	ts.Check(err)
	b, ctx := scriptBus(ts), scriptStep(ts)
	e := bus.HealthEvent{Time: time.Now(), Component: component, Data: bus.HealthData{State: bus.HealthState(args[1]), Reason: args[2]}}
	if len(args) > 3 {
		old, err := time.ParseDuration(args[3])
		ts.Check(err)
		e.Time = e.Time.Add(-old)
	}
	last, err := b.LastHealth(ctx)
	ts.Check(err)
	var after uint64
	for _, l := range last {
		if l.Component == component {
			after, e.Data.Previous = l.Sequence, l.Data.State
		}
	}
	_, err = b.PublishHealth(ctx, e, after)
	ts.Check(err)
}

// monitor FILE plays a monitor that may lead and whose last round is in the file, a
// health.LagReport seen just now, unless it says when. monitor - is one without an answer.
func scriptMonitor(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: monitor FILE|-")
	}
	report := health.LagReport{Monitor: "mute"}
	verbs := map[string]bus.ControlFunc{}
	if args[0] != "-" {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &report))
		verbs[bus.CommandLag] = func(data []byte) (any, error) {
			var c health.LagCommand
			if err := json.Unmarshal(data, &c); err != nil {
				return nil, err
			}
			answer := report
			answer.Agents = nil
			for _, a := range report.Agents {
				if c.Agent == "" || c.Agent == a.Agent {
					answer.Agents = append(answer.Agents, a)
				}
			}
			if answer.At.IsZero() {
				answer.At = time.Now()
			}
			return answer, nil
		}
	}
	b := scriptBus(ts)
	control, err := b.ServeControl(bus.ComponentMonitor, "1.0.0", verbs)
	ts.Check(err)
	ts.Defer(func() { ts.Check(control.Close()) })
	scriptUntilEnd(ts, func(ctx context.Context) error {
		return b.Lead(ctx, bus.LeadOptions{Name: monitorLease, Holder: report.Monitor, Lead: func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}})
	})
	scriptAwait(ts, "a monitor that leads", func(ctx context.Context) bool {
		_, err := b.Leader(ctx, monitorLease)
		return err == nil
	})
}

// worker FILE plays a worker whose lease is in the file.
func scriptWorker(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: worker FILE")
	}
	var lease bus.WorkerLease
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &lease))
	b := scriptBus(ts)
	scriptUntilEnd(ts, func(ctx context.Context) error {
		return b.AnnounceWorker(ctx, func() bus.WorkerLease { return lease })
	})
	scriptAwait(ts, "worker "+lease.Name, func(ctx context.Context) bool {
		all, err := b.Workers(ctx)
		ts.Check(err)
		return slices.ContainsFunc(all, func(w bus.WorkerLease) bool { return w.Name == lease.Name })
	})
}

// rmconsumer STREAM NAME removes a consumer behind everybody's back.
func scriptRemoveConsumer(ts *testscript.TestScript, _ bool, args []string) {
	nc, js := scriptJetStream(ts)
	defer nc.Close()
	ts.Check(js.DeleteConsumer(scriptStep(ts), args[0], args[1]))
}

// scriptAwait asks again and again until the answer is yes.
func scriptAwait(ts *testscript.TestScript, what string, ask func(context.Context) bool) {
	ctx := scriptStep(ts)
	for !ask(ctx) {
		select {
		case <-ctx.Done():
			ts.Fatalf("%s is not seen within %s", what, scriptLimit)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// scriptUntilEnd runs f until the script ends, and waits for it.
func scriptUntilEnd(ts *testscript.TestScript, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f(ctx); err != nil {
			panic(fmt.Sprintf("a part of the script ended: %v", err))
		}
	})
	ts.Defer(func() {
		cancel()
		wg.Wait()
	})
}
