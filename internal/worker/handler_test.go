package worker

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestAJobBecomesATaskAndAResultAnAnswer(t *testing.T) {
	var got agents.Task
	h := handler(agents.Func(func(_ context.Context, t agents.Task) (agents.Result, error) {
		got = t
		return agents.Result{
			Output: []byte(`{"a":1}`), Rung: "fallback", Provider: "p", Degraded: true, RetryCount: 3,
			Usage: agents.Usage{InputTokens: 4, OutputTokens: 5},
		}, nil
	}), time.Minute)
	a, err := h(t.Context(), &bus.Job{
		ID: "r1", Agent: "a", Attempt: 2, Deliveries: 9, Traceparent: trace,
		Request: bus.Request{Method: "price", Prompt: "p", Input: []byte(`{"i":1}`), Metadata: []byte(`{"m":1}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	task := agents.Task{
		ID: "r1", Agent: "a", Method: "price", Prompt: "p", Input: []byte(`{"i":1}`), Metadata: []byte(`{"m":1}`),
		Attempt: 2, Redelivered: true, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
	}
	if !reflect.DeepEqual(got, task) {
		t.Errorf("task: got %+v, want %+v", got, task)
	}
	answer := bus.Answer{
		Output: []byte(`{"a":1}`), Rung: "fallback", Provider: "p", Degraded: true, Retries: 3,
		Usage: bus.Usage{InputTokens: 4, OutputTokens: 5},
	}
	if !reflect.DeepEqual(a, answer) {
		t.Errorf("answer: got %+v, want %+v", a, answer)
	}
}

func TestARequestThatNamesNoMethodAndAnAgentThatNamesNoRung(t *testing.T) {
	h := handler(agents.Func(func(_ context.Context, t agents.Task) (agents.Result, error) { return agents.Text(t.Method), nil }), time.Minute)
	a, err := h(t.Context(), &bus.Job{})
	if err != nil || string(a.Output) != `{"text":"execute"}` || a.Rung != "primary" || a.Degraded {
		t.Errorf("got %+v, %v; want the method execute by the rung primary", a, err)
	}
}

func TestTheRequestsTimeoutIsOverTheAgents(t *testing.T) {
	for _, tt := range []struct {
		seconds float64
		want    time.Duration
	}{
		{0, 30 * time.Second},
		{0.25, 250 * time.Millisecond},
		{45, 45 * time.Second},
		{1e-300, 1},
		{bus.MaxTimeout, 24 * time.Hour},
		{1e300, 24 * time.Hour},
	} {
		if got := limit(tt.seconds, 30*time.Second); got != tt.want {
			t.Errorf("timeout %v of 30 s: got %s, want %s", tt.seconds, got, tt.want)
		}
	}
	h := handler(agents.Func(func(ctx context.Context, _ agents.Task) (agents.Result, error) {
		<-ctx.Done()
		return agents.Result{}, ctx.Err()
	}), time.Hour)
	_, err := h(t.Context(), &bus.Job{Request: bus.Request{Timeout: 0.01}})
	if !errors.Is(err, resilience.ErrTimeout) || !strings.Contains(err.Error(), "10ms") {
		t.Errorf("an execution beyond its timeout: got %v, want a timeout that names 10ms", err)
	}
}

func TestOutputThatIsNoObjectIsAPermanentError(t *testing.T) {
	for _, tt := range []struct {
		output string
		ok     bool
	}{
		{`{"a":1}`, true},
		{"\n {}", true},
		{"", true},
		{`"text"`, false},
		{`[{}]`, false},
		{"null", false},
		{"  ", false},
		{strings.Repeat(" ", 100) + "1", false},
	} {
		h := handler(agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
			return agents.Result{Output: json.RawMessage(tt.output)}, nil
		}), time.Minute)
		if _, err := h(t.Context(), &bus.Job{}); (err == nil) != tt.ok || err != nil && !resilience.IsPermanent(err) {
			t.Errorf("output %q: got %v, want ok %v or permanent", tt.output, err, tt.ok)
		}
	}
}

func TestAnErrorTellsWhyTheExecutionWasEnded(t *testing.T) {
	h := handler(agents.Func(func(ctx context.Context, _ agents.Task) (agents.Result, error) {
		<-ctx.Done()
		return agents.Result{}, errors.New("half done")
	}), time.Hour)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(bus.ErrCancelled)
	_, err := h(ctx, &bus.Job{})
	if !errors.Is(err, bus.ErrCancelled) || !strings.Contains(err.Error(), "half done") {
		t.Errorf("got %v, want the cause and the agent's own error", err)
	}
}
