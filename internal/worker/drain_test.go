package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
)

func TestADrainUnderLoadLosesNothing(t *testing.T) {
	s := newSystem(t, `
worker: {drain_timeout: 10s}
agents: {echo: {slots: 4, ladder: [{rung: primary, provider: echo}]}}
`)
	var executed atomic.Int32
	counting := agents.Func(func(ctx context.Context, task agents.Task) (agents.Result, error) {
		executed.Add(1)
		timer := time.NewTimer(5 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
			return agents.Text(task.Prompt), nil
		case <-ctx.Done():
			return agents.Result{}, context.Cause(ctx)
		}
	})
	first := s.start(t, func(o *Options) { o.Registry = echoing(t, counting) })
	const n = 200
	ids := make([]string, n)
	for i := range ids {
		ids[i] = s.ask(t, "echo", bus.Request{Prompt: fmt.Sprint(i)})
	}
	await(t, "work to be under way", func() bool { return executed.Load() > 10 })
	if err := first.stop(); err != nil {
		t.Fatalf("run: got %v, want nil after a drain", err)
	}
	before := executed.Load()
	if before >= n {
		t.Fatalf("executed %d before the drain ended, want work to be left", before)
	}
	second := s.start(t, func(o *Options) {
		o.Name, o.Registry = "w2", echoing(t, counting)
	})
	for i, id := range ids {
		r := s.answerTo(t, "echo", id)
		if want := fmt.Sprintf(`{"text":"%d"}`, i); !r.Success || string(r.Output) != want || r.Meta.Deliveries != 1 {
			t.Errorf("request %d: got %s %+v, want %s by the first delivery", i, r.Output, r.Meta, want)
		}
	}
	if got := executed.Load(); got != n {
		t.Errorf("executions: got %d, want %d: a drain that has time cuts nothing off", got, n)
	}
	if err := second.stop(); err != nil {
		t.Errorf("run: %v", err)
	}
	reports, err := s.Verify(t.Context(), bus.VerifyOptions{Agents: []string{"echo"}})
	if err != nil || len(reports) != 1 || reports[0].Results != n || reports[0].MissingCount != 0 {
		t.Errorf("verify: got %+v, %v; want %d results and nothing missing", reports, err, n)
	}
	if log := first.log.String(); !strings.Contains(log, `msg=draining worker=w1 reason=terminated`) || !strings.Contains(log, "msg=drained") {
		t.Errorf("log: got %s, want the beginning and the end of the drain", log)
	}
}

func TestWhatADrainCutsOffIsExecutedByAnother(t *testing.T) {
	s := newSystem(t, `
worker: {drain_timeout: 50ms}
agents: {echo: {ladder: [{rung: primary, provider: echo}]}}
`)
	started := make(chan struct{})
	first := s.start(t, func(o *Options) {
		o.Registry = echoing(t, agents.Func(func(ctx context.Context, _ agents.Task) (agents.Result, error) {
			close(started)
			<-ctx.Done()
			return agents.Result{}, ctx.Err()
		}))
	})
	id := s.ask(t, "echo", bus.Request{})
	<-started
	if err := first.stop(); err != nil {
		t.Fatalf("run: got %v, want nil", err)
	}
	s.start(t, func(o *Options) { o.Name = "w2" })
	r := s.answerTo(t, "echo", id)
	if !r.Success || r.Meta.Worker != "w2" || r.Meta.Deliveries != 2 || r.Meta.RetryCount != 0 {
		t.Errorf("got %+v, want a success of w2 by the second delivery that cost no attempt", r.Result)
	}
}

func TestADrainingWorkerIsAliveAndNotReady(t *testing.T) {
	s := newSystem(t, "")
	started, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	w := s.start(t, func(o *Options) {
		o.Registry = echoing(t, agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
			close(started)
			<-released
			return agents.Text("done"), nil
		}))
	})
	id := s.ask(t, "echo", bus.Request{})
	<-started
	done := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer release()
	wg.Go(func() { done <- w.stop() })
	await(t, "the drain", func() bool {
		code, body, _ := get(t, w.URL()+"/health/ready")
		return code == 503 && strings.Contains(body, `"pools":false`)
	})
	if code, _, _ := get(t, w.URL()+"/health/live"); code != 200 {
		t.Errorf("live: got %d, want 200 while it drains", code)
	}
	if _, body, _ := get(t, w.URL()+"/health/detailed", "Authorization: Bearer secret"); !strings.Contains(body, `"draining":true`) || !strings.Contains(body, `"slots_in_use":1`) {
		t.Errorf("detailed: got %s", body)
	}
	release()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if r := s.answerTo(t, "echo", id); !r.Success {
		t.Errorf("what it held: got %+v, want a success", r.Result)
	}
}

func TestAQueueThatCannotBeUsedStopsTheWorker(t *testing.T) {
	s := newSystem(t, "")
	if err := s.JetStream().DeleteStream(t.Context(), bus.RequestStream("probe")); err != nil {
		t.Fatal(err)
	}
	w, err := New(Options{Config: s.cfg, Bus: s.Bus})
	if err != nil {
		t.Fatal(err)
	}
	err = w.Run(t.Context())
	if !errors.Is(err, bus.ErrUnknownAgent) || !strings.Contains(err.Error(), "probe") {
		t.Errorf("run: got %v, want %v that names the agent", err, bus.ErrUnknownAgent)
	}
}
