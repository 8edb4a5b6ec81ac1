package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"genesis/internal/telemetry"
	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// handler executes jobs by an agent, within the request's own timeout or, without
// one, the agent's. A request may ask for more than the agent's timeout; how much,
// the wire contract bounds (bus.MaxTimeout).
func handler(agent agents.Agent, timeout time.Duration) bus.Handler {
	return func(ctx context.Context, job *bus.Job) (bus.Answer, error) {
		bound := resilience.Timeout{Limit: limit(job.Request.Timeout, timeout)}
		result, err := resilience.Get(ctx, bound, func(ctx context.Context) (agents.Result, error) {
			return agent.Handle(ctx, task(job))
		})
		if err == nil && !result.Valid() {
			err = checkOutput(result.Output)
		}
		if err != nil {
			return bus.Answer{}, withCause(ctx, err)
		}
		return answer(&result), nil
	}
}

// within puts each execution into the trace of its request.
func within(d *telemetry.Deliveries, next bus.Handler) bus.Handler {
	return func(ctx context.Context, job *bus.Job) (bus.Answer, error) { return next(d.Begin(ctx, job), job) }
}

// limit is the bound of one execution; seconds is the request's, 0 for none.
func limit(seconds float64, timeout time.Duration) time.Duration {
	if seconds <= 0 {
		return timeout
	}
	return max(time.Duration(min(seconds, bus.MaxTimeout)*float64(time.Second)), 1)
}

func task(job *bus.Job) agents.Task {
	t := agents.Task{
		ID: job.ID, Agent: job.Agent, Method: job.Request.Method, Prompt: job.Request.Prompt,
		Input: job.Request.Input, Metadata: job.Request.Metadata,
		Attempt: job.Earlier + job.Attempt, Redelivered: job.Attempt > 1, TraceID: telemetry.TraceID(job.Traceparent),
	}
	if t.Method == "" {
		t.Method = bus.MethodExecute
	}
	return t
}

func answer(r *agents.Result) bus.Answer {
	a := bus.Answer{
		Output: r.Output, Valid: r.Valid(), Rung: r.Rung, Provider: r.Provider, Degraded: r.Degraded, Retries: r.RetryCount,
		Usage: bus.Usage{InputTokens: r.Usage.InputTokens, OutputTokens: r.Usage.OutputTokens},
	}
	if a.Rung == "" { // an agent that is no ladder is its own only rung
		a.Rung = agents.Primary
	}
	return a
}

// checkOutput refuses what the wire contract does not allow and no retry makes right.
// Whether an object is valid JSON is seen when the result is encoded.
func checkOutput(output json.RawMessage) error {
	text := bytes.TrimLeft(output, " \t\r\n")
	if len(output) == 0 || len(text) > 0 && text[0] == '{' {
		return nil
	}
	return resilience.Permanent(fmt.Errorf("the agent's output is not a JSON object; it begins with %.20q", text))
}

// withCause adds why the execution was ended from outside: its worker drains, its
// client cancelled it, its deadline passed. The agent's error rarely says so.
func withCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}
