package agents_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

func ExampleRegistry() {
	registry := agents.New()
	err := registry.Add("hello", agents.Func(func(_ context.Context, t agents.Task) (agents.Result, error) {
		if t.Prompt == "" {
			return agents.Result{}, resilience.Permanent(errors.New("whom shall I greet?"))
		}
		return agents.Text("Hello, " + t.Prompt + "!"), nil
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	hello, _ := registry.Get("hello")
	result, err := hello.Handle(context.Background(), agents.Task{Prompt: "Ada"})
	fmt.Println(string(result.Output), err)
	fmt.Println("did you mean", registry.Nearest("helo"))
	// Output:
	// {"text":"Hello, Ada!"} <nil>
	// did you mean hello
}

func ExampleLadder() {
	down := agents.Func(func(context.Context, agents.Task) (agents.Result, error) {
		return agents.Result{}, errors.New("the model is down")
	})
	primary := agents.Rung{Name: agents.Primary, Provider: "vertex", Agent: down}
	static := agents.Rung{Name: "static", Agent: agents.Static("Please try again shortly.")}
	ladder, err := agents.NewLadder(agents.LadderOptions{Name: "assistant", Rungs: []agents.Rung{primary, static}})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := ladder.Handle(context.Background(), agents.Task{Prompt: "hi"})
	fmt.Println(string(result.Output), err)
	fmt.Println(result.Rung, "degraded:", result.Degraded)

	alone, err := agents.NewLadder(agents.LadderOptions{Name: "assistant", Rungs: []agents.Rung{primary}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = alone.Handle(context.Background(), agents.Task{Prompt: "hi"})
	fmt.Println(err)
	// Output:
	// {"text":"Please try again shortly."} <nil>
	// static degraded: true
	// rung primary: the model is down
}

func ExampleNewHTTP() {
	// The service may be written in any language.
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		task, _ := io.ReadAll(r.Body)
		fmt.Println(string(task))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"price": 9.5}`)
	}))
	defer service.Close()

	agent, err := agents.NewHTTP(agents.HTTPOptions{
		URL:     service.URL + "/price",
		Headers: map[string]string{"X-Team": "shop"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = agent.(io.Closer).Close() }()

	result, err := agent.Handle(context.Background(), agents.Task{ID: "order-7", Method: "execute", Prompt: "how much?", Attempt: 1})
	fmt.Println(string(result.Output), err)
	// Output:
	// {"id":"order-7","method":"execute","prompt":"how much?","attempt":1}
	// {"price": 9.5} <nil>
}

func ExampleProbe() {
	probe := agents.Probe(agents.ProbeOptions{})
	input := []byte(`{"fail":"retryable","fail_times":2}`)
	for attempt := 1; attempt <= 3; attempt++ {
		result, err := probe.Handle(context.Background(), agents.Task{Prompt: "hi", Input: input, Attempt: attempt})
		fmt.Println("attempt", attempt, string(result.Output), err)
	}
	// Output:
	// attempt 1  probe: told to fail (retryable), attempt 1
	// attempt 2  probe: told to fail (retryable), attempt 2
	// attempt 3 {"text":"hi","attempt":3} <nil>
}
