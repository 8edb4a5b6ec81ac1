package worker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// fast is a section of the configuration: attempts are repeated at once.
const fast = "delivery: {max_attempts: 2, initial_delay: 1ms, max_delay: 1ms}"

func TestARequestIsAnsweredByItsAgent(t *testing.T) {
	s := newSystem(t, "")
	s.start(t, nil)
	receipt, err := s.Publish(t.Context(), bus.Envelope{Agent: "echo", Request: bus.Request{Prompt: "hello"}, Traceparent: trace})
	if err != nil {
		t.Fatal(err)
	}
	r := s.answerTo(t, "echo", receipt.ID)
	if !r.Success || string(r.Output) != `{"text":"hello"}` {
		t.Errorf("got %+v", r.Result)
	}
	want := bus.ResultMeta{Rung: "primary", Provider: "echo", Deliveries: 1, Worker: "w1", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736"}
	got := r.Meta
	got.QueuedMS, got.DurationMS = 0, 0
	if got != want {
		t.Errorf("metadata: got %+v, want %+v", got, want)
	}
}

func TestRungsBelowThePrimaryAnswerDegraded(t *testing.T) {
	s := newSystem(t, `
providers: {gone: {kind: http, url: "http://127.0.0.1:1/", policy: none}}
agents:
  falls: {ladder: [{rung: primary, provider: gone}, {rung: fallback, provider: echo}, {rung: static, text: busy}]}
  static: {ladder: [{rung: primary, provider: gone}, {rung: static, text: busy}]}
`)
	s.start(t, nil)
	for _, tt := range []struct{ agent, rung, provider, output string }{
		{"falls", "fallback", "echo", `{"text":"hi"}`},
		{"static", "static", "", `{"text":"busy"}`},
	} {
		r := s.answerTo(t, tt.agent, s.ask(t, tt.agent, bus.Request{}))
		if !r.Success || string(r.Output) != tt.output || !r.Meta.Degraded || r.Meta.Rung != tt.rung || r.Meta.Provider != tt.provider {
			t.Errorf("%s: got %s %+v, want %s, degraded, by %s", tt.agent, r.Output, r.Meta, tt.output, tt.rung)
		}
	}
}

func TestTimeoutsBoundExecutions(t *testing.T) {
	s := newSystem(t, `
agents:
  quick: {timeout: 50ms, `+fast+`, ladder: [{rung: primary, provider: probe}]}
`)
	s.start(t, nil)
	sleep := func(ms string) json.RawMessage { return json.RawMessage(`{"sleep_ms":` + ms + `}`) }

	late := s.answerTo(t, "quick", s.ask(t, "quick", bus.Request{Input: sleep("60000")}))
	if late.Success || late.Error == nil || late.Error.Code != bus.CodeTimeout || late.Meta.Deliveries != 2 || !strings.Contains(late.Error.Message, "50ms") {
		t.Errorf("beyond the agent's timeout: got %+v %+v, want the code timeout after 2 deliveries", late.Error, late.Meta)
	}
	longer := s.answerTo(t, "quick", s.ask(t, "quick", bus.Request{Input: sleep("150"), Timeout: 30}))
	if !longer.Success {
		t.Errorf("a request that asks for more time: got %+v, want a success", longer.Error)
	}
	shorter := s.answerTo(t, "quick", s.ask(t, "quick", bus.Request{Input: sleep("60000"), Timeout: 0.02}))
	if shorter.Error == nil || !strings.Contains(shorter.Error.Message, "20ms") {
		t.Errorf("a request that asks for less time: got %+v, want a timeout of 20ms", shorter.Error)
	}
}

func TestOnlyTheNamedAgentsAreServed(t *testing.T) {
	s := newSystem(t, "")
	w := s.start(t, func(o *Options) { o.Agents = []string{"probe"} })
	if got := w.Agents(); !slices.Equal(got, []string{"probe"}) {
		t.Errorf("agents: got %q", got)
	}
	waits := s.ask(t, "echo", bus.Request{})
	s.answerTo(t, "probe", s.ask(t, "probe", bus.Request{}))
	if _, err := s.Pending(t.Context(), "echo", waits); err != nil {
		t.Errorf("the request of an agent that is not served: got %v, want it pending", err)
	}
	s.start(t, func(o *Options) { o.Agents = []string{"echo"} })
	s.answerTo(t, "echo", waits)
}

func TestAgentsAreThoseOfTheConfigurationTheFlagOrTheRegistry(t *testing.T) {
	s := newSystem(t, "worker: {agents: [probe, echo]}\n")
	own := agents.New()
	if err := errors.Join(own.Add("assistant", agents.Echo()), own.Add("own", agents.Echo())); err != nil {
		t.Fatal(err)
	}
	all := *s.cfg
	all.Worker.Agents = nil
	for _, tt := range []struct {
		name     string
		cfg      *config.Config
		agents   []string
		registry *agents.Registry
		want     []string
		err      string
	}{
		{"worker.agents", s.cfg, nil, nil, []string{"probe", "echo"}, ""},
		{"the flag is over it", s.cfg, []string{"assistant"}, nil, []string{"assistant"}, ""},
		{"all", &all, nil, nil, []string{"assistant", "echo", "probe"}, ""},
		{"all of a registry", &all, nil, own, []string{"assistant", "own"}, ""},
		{"an unknown one", s.cfg, []string{"eco"}, nil, nil, `unknown agent "eco"; did you mean "echo"?`},
		{"one like no other", s.cfg, []string{"summarizer"}, nil, nil, `unknown agent "summarizer"; there are ["assistant" "echo" "probe"]`},
		{"one twice", s.cfg, []string{"echo", "echo"}, nil, nil, "agent echo is named twice"},
		{"none", &all, nil, agents.New(), nil, "there are no agents to serve"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := New(Options{Config: tt.cfg, Bus: s.Bus, Agents: tt.agents, Registry: tt.registry})
			if tt.err != "" {
				if err == nil || err.Error() != tt.err || !errors.Is(err, program.ErrUsage) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = w.listener.Close()
			if got := w.Agents(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPoolsHaveTheSettingsOfTheirAgent(t *testing.T) {
	s := newSystem(t, `
worker: {drain_timeout: 7s}
agents:
  a: {slots: 20, ack_wait: 9s, delivery: {max_attempts: 3, initial_delay: 2s, max_delay: 8s, backoff_factor: 3, jitter: false}, ladder: [{rung: primary, provider: echo}]}
  b: {slots: 4, reserved_interactive: 0, delivery: {initial_delay: 0s, max_delay: 0s}, ladder: [{rung: primary, provider: echo}]}
`)
	server := &Server{o: Options{Config: s.cfg, Name: "w9"}}
	a := server.poolOptions("a", agents.Echo())
	if a.Slots != 20 || a.Reserved != 4 || a.AckWait != 9*time.Second || a.MaxAttempts != 3 || a.DrainTimeout != 7*time.Second || a.Worker != "w9" {
		t.Errorf("a: got %+v", a)
	}
	if want := (resilience.Backoff{InitialDelay: 2 * time.Second, MaxDelay: 8 * time.Second, Factor: 3}); a.Backoff != want {
		t.Errorf("a: backoff: got %+v, want %+v", a.Backoff, want)
	}
	s.cfg.Worker.DrainTimeout = 0
	b := server.poolOptions("b", agents.Echo())
	if b.Reserved != 0 || b.DrainTimeout > time.Millisecond || b.Backoff.Delay(5) > time.Millisecond {
		t.Errorf("b: zeros that were written: got %+v, want them kept", b)
	}
	if own := server.poolOptions("own", agents.Echo()); own.Slots != 10 || own.Reserved != 2 || own.MaxAttempts != 5 {
		t.Errorf("an agent that is not in the configuration: got %+v, want the defaults", own)
	}
}

func TestACancelledExecutionEnds(t *testing.T) {
	s := newSystem(t, "")
	started := make(chan struct{})
	ended := make(chan error, 1)
	own := echoing(t, agents.Func(func(ctx context.Context, _ agents.Task) (agents.Result, error) {
		close(started)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return agents.Result{}, ctx.Err()
	}))
	w := s.start(t, func(o *Options) { o.Registry = own })
	id := s.ask(t, "echo", bus.Request{})
	<-started
	if err := s.Cancel(t.Context(), "echo", id, "test"); err != nil {
		t.Fatal(err)
	}
	select {
	case cause := <-ended:
		if !errors.Is(cause, bus.ErrCancelled) {
			t.Errorf("cause: got %v, want %v", cause, bus.ErrCancelled)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the execution did not end within 20 s")
	}
	if r := s.answerTo(t, "echo", id); r.Error == nil || r.Error.Code != bus.CodeCancelled {
		t.Errorf("result: got %+v, want cancelled", r.Result)
	}
	await(t, "the metric", func() bool {
		_, body, _ := get(t, w.URL()+"/metrics")
		return strings.Contains(body, `genesis_requests_total{agent="echo",method="execute",status="cancelled"} 1`)
	})
}

func TestABadNameOfAReplicaIsRefused(t *testing.T) {
	s := newSystem(t, "")
	for _, name := range []string{"a b", "a\nb", "wörker", strings.Repeat("x", 65)} {
		if _, err := New(Options{Config: s.cfg, Bus: s.Bus, Name: name}); err == nil || !strings.Contains(err.Error(), "GENESIS_WORKER_NAME") {
			t.Errorf("name %q: got %v", name, err)
		}
	}
	one, two := replicaName(), replicaName()
	if one == two || checkName(one) != nil {
		t.Errorf("made names: got %q and %q, want two that differ", one, two)
	}
}
