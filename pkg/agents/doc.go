// Package agents holds the agent contract, the registry, the ladder and the
// built-in agents.
//
// An [Agent] takes a [Task] and returns a [Result] or an error. The error is its
// verdict (see package resilience); that is all an agent can say about the fate
// of a request. One Go function is enough:
//
//	registry := agents.New()
//	err := registry.Add("hello", agents.Func(func(ctx context.Context, t agents.Task) (agents.Result, error) {
//		return agents.Text("Hello, " + t.Prompt), nil
//	}))
//
// A [Ladder] is an agent made of rungs, ordered ways to answer: primary,
// fallback, static. The first that answers, answers; [Static] always does. Each rung
// may have policies of package resilience.
//
// Built in: [Echo] answers with what it was sent; [NewHTTP] posts the task to a
// URL, so that an agent can be written in any language; [Probe] does what its
// input says, for drills; [Simulated] stands in for a model and says so.
//
// # What it does not do
//
// It knows no broker: an agent cannot ack, delay or dead-letter anything, and it
// counts no deliveries. It bounds no time, since an agent's context does that. It
// recovers no panics and caches nothing, and it retries only by the policies that a
// rung of a ladder is given; they belong to the worker. It keeps no global registry.
package agents
