package worker

import (
	"testing"

	"genesis/pkg/agents"
)

// BenchmarkLadder is what the policies add to an execution that succeeds.
func BenchmarkLadder(b *testing.B) {
	for _, bb := range []struct{ name, policy string }{
		{"no policy", "none"},
		{"api_calls", "api_calls"},
		{"six policies", "six"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			g := testGuards(b, loadConfig(b, `
policies: {six: {timeout: 10s, retry: {}, breaker: {}, rate_limit: {per_second: 1000000, burst: 1000000}, bulkhead: {slots: 10}}}
providers: {llm: {kind: echo, policy: `+bb.policy+`}}
agents: {a: {ladder: [{rung: primary, provider: llm}, {rung: static, text: busy}]}}
`))
			registry, err := newRegistry(g, nil)
			if err != nil {
				b.Fatal(err)
			}
			a, _ := registry.Get("a")
			task := agents.Task{Prompt: "hi", Attempt: 1}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Handle(b.Context(), task); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
