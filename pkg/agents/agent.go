package agents

import (
	"context"
	"encoding/json"
	"errors"

	"genesis/pkg/resilience"
)

// Agent answers requests. Handle is called concurrently, once for each
// execution, and must return soon after ctx is done; its deadline is the
// request's timeout.
//
// Handle cannot settle anything. The error it returns is the verdict, and the
// caller acts on it:
//
//   - resilience.Permanent: trying again cannot help; the request becomes a dead letter.
//   - resilience.RetryAfter: try again, not before the delay.
//   - an error matching resilience.ErrRejected: nothing was tried; it costs no attempt.
//   - any other error: try again, as the agent's delivery policy says.
//
// The same request may be executed more than once (a lost worker, a retry), so an
// agent with effects of its own should use Task.ID as its idempotency key.
//
// An agent that holds resources also implements io.Closer; [Registry.Close]
// closes it. Close may be called more than once, by each ladder that shares it.
type Agent interface {
	Handle(ctx context.Context, t Task) (Result, error)
}

// Func is an [Agent] made of one function. A nil Func answers each task with a
// permanent error.
type Func func(ctx context.Context, t Task) (Result, error)

// Handle implements [Agent].
func (f Func) Handle(ctx context.Context, t Task) (Result, error) {
	if f == nil {
		return Result{}, resilience.Permanent(errors.New("agents: the agent's function is nil"))
	}
	return f(ctx, t)
}

// Task is one execution of a request, as an agent sees it. Its byte slices are
// shared: an agent may keep them, and must not change them.
type Task struct {
	// ID is the request's id, the same for every attempt.
	ID string

	// Agent is the name of the agent that was asked.
	Agent string

	// Method is what the caller wants done; "execute" unless the caller said
	// otherwise.
	Method string

	// Prompt is the request's text. It may be empty when there is Input.
	Prompt string

	// Input is the request's structured part: a valid JSON object, or nil.
	Input json.RawMessage

	// Metadata is what the caller sent along: a valid JSON object, or nil.
	Metadata json.RawMessage

	// Attempt counts executions of this request that could fail, from 1, over
	// its whole life: a replay goes on counting. It is
	// not the broker's count of deliveries, which includes those that never
	// came to an execution.
	Attempt int

	// Redelivered is true when an earlier execution failed and this one repeats it,
	// as the agent's delivery policy says. What somebody asked to replay begins anew.
	Redelivered bool

	// TraceID is the W3C trace id of the request; empty when it has none.
	TraceID string
}

// Usage is what an execution consumed of a model. The zero value says nothing
// was.
type Usage struct {
	// InputTokens is the number of tokens of prompt and input.
	InputTokens int `json:"input_tokens"`

	// OutputTokens is the number of tokens of the answer.
	OutputTokens int `json:"output_tokens"`
}

// Result is an agent's answer.
type Result struct {
	// Output is the answer: a JSON object, for example {"text":"..."}. It is
	// stored and sent as it is, so it must be valid.
	Output json.RawMessage

	// Rung is the name of the rung that answered. A [Ladder] fills it.
	Rung string

	// Provider names what answered, as the configuration calls it. A [Ladder]
	// fills it.
	Provider string

	// Degraded is true when something other than the primary rung answered.
	Degraded bool

	// RetryCount is the number of retries made within this execution, without
	// the broker.
	RetryCount int

	// Usage is what the answer consumed of a model.
	Usage Usage

	// made is the output as this package wrote it.
	made json.RawMessage
}

// written is a Result whose output this package wrote, byte by byte, as a JSON object.
func written(output json.RawMessage) Result { return Result{Output: output, made: output} }

// Valid reports whether Output is known to be a JSON object, because this package
// wrote it and nobody replaced it. Of any other output nothing is known.
func (r *Result) Valid() bool {
	return len(r.Output) > 0 && len(r.made) == len(r.Output) && &r.made[0] == &r.Output[0]
}

// Text returns the result {"text": s}. Bytes of s that are not UTF-8 become
// U+FFFD, as encoding/json does it.
func Text(s string) Result {
	return written(textOutput(s))
}
