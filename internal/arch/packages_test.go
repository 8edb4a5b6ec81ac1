package arch

const (
	natsServer = "github.com/nats-io/nats-server/v2"
	natsClient = "github.com/nats-io/nats.go"
	orbit      = "github.com/synadia-io/orbit.go"
)

func modelSDKs() []string {
	return []string{"github.com/openai/openai-go", "google.golang.org/genai", "github.com/anthropics/anthropic-sdk-go"}
}

// packageImportRules say what the packages others may use know of the world.
func packageImportRules() []rule {
	return []rule{
		{
			promise: "pkg/resilience imports only its libraries (gobreaker, backoff, x/time)",
			because: "a policy is usable alone, in any program: it knows no NATS, no agent and no HTTP",
			check: imports(func(f file, imported string) bool {
				if f.in("pkg/resilience") && !f.isTest() && under(imported, "net/http") {
					return false
				}
				return confined("pkg/resilience", "genesis/pkg/resilience", "github.com/sony/gobreaker/v2",
					"github.com/cenkalti/backoff/v4", "golang.org/x/time")(f, imported)
			}),
			breaks: []sources{
				{"pkg/resilience/a.go": importing(natsClient)},
				{"pkg/resilience/a.go": importing("net/http")},
				{"pkg/resilience/a.go": importing("go.uber.org/goleak")},
				{"pkg/resilience/a_test.go": importing("genesis/pkg/agents")},
				{"pkg/resilience/deeper/a.go": importing("genesis/pkg/bus")},
			},
			keeps: []sources{
				{"pkg/resilience/a.go": importing("github.com/sony/gobreaker/v2")},
				{"pkg/resilience/a.go": importing("golang.org/x/time/rate")},
				{"pkg/resilience/a_test.go": importing("go.uber.org/goleak")},
			},
		},
		{
			promise: "pkg/agents imports only pkg/resilience",
			because: "an agent is a function from a task to a result or an error: whoever writes one needs no broker and no account",
			check: imports(func(f file, imported string) bool {
				return f.in("pkg/agents/llm") || confined("pkg/agents", "genesis/pkg/agents", "genesis/pkg/resilience")(f, imported)
			}),
			breaks: []sources{
				{"pkg/agents/a.go": importing(natsClient)},
				{"pkg/agents/a.go": importing("genesis/pkg/bus")},
				{"pkg/agents/a.go": importing("genesis/streams")},
			},
			keeps: []sources{
				{"pkg/agents/a.go": importing("genesis/pkg/resilience")},
				{"pkg/agents/a.go": importing("net/http")},
			},
		},
		{
			promise: "pkg/agents/llm imports only agents, resilience and the official model SDKs",
			because: "a provider is an agent like any other: it knows no broker and no program",
			check:   imports(confined("pkg/agents/llm", append(modelSDKs(), "genesis/pkg/agents", "genesis/pkg/resilience")...)),
			breaks:  []sources{{"pkg/agents/llm/a.go": importing("genesis/pkg/bus")}},
			keeps:   []sources{{"pkg/agents/llm/a.go": importing("github.com/openai/openai-go/v3/option")}},
		},
		{
			promise: "only pkg/agents/llm imports a model SDK",
			because: "the SDKs add 20 MB: who runs no model links none",
			check: imports(func(f file, imported string) bool {
				return f.in("pkg/agents/llm") || !under(imported, modelSDKs()...)
			}),
			breaks: []sources{{"internal/worker/a.go": importing("google.golang.org/genai")}},
			keeps:  []sources{{"pkg/agents/llm/a.go": importing("google.golang.org/genai")}},
		},
		{
			promise: "pkg/bus imports only resilience, nats.go, orbit.go, uuid and x/sync",
			because: "it is the only JetStream code and nothing but that: what it carries is not its business",
			check: imports(func(f file, imported string) bool {
				return f.in("pkg/bus/bustest") || f.isTest() && under(imported, "genesis/streams") ||
					confined("pkg/bus", "genesis/pkg/bus", "genesis/pkg/resilience",
						natsClient, orbit, "github.com/google/uuid", "golang.org/x/sync")(f, imported)
			}),
			breaks: []sources{
				{"pkg/bus/a.go": importing("genesis/pkg/agents")},
				{"pkg/bus/a_test.go": importing("genesis/pkg/agents")},
				{"pkg/bus/a.go": importing("go.yaml.in/yaml/v3")},
				{"pkg/bus/a.go": importing("genesis/streams")},
			},
			keeps: []sources{
				{"pkg/bus/a.go": importing(natsClient + "/jetstream")},
				{"pkg/bus/a_test.go": importing("genesis/pkg/bus/bustest")},
			},
		},
		{
			promise: "pkg never imports internal, cmd or examples",
			because: "pkg is what other programs may use; it must stand without ours",
			check: imports(func(f file, imported string) bool {
				return !f.in("pkg") || !under(imported, "genesis/internal", "genesis/cmd", "genesis/examples")
			}),
			breaks: []sources{
				{"pkg/bus/bustest/a.go": importing("genesis/internal/config")},
				{"pkg/agents/a_test.go": importing("genesis/internal/worker")},
			},
			keeps: []sources{{"pkg/bus/a.go": importing("genesis/pkg/resilience")}},
		},
		{
			promise: "streams imports only nats.go",
			because: "it is the files an operator reads, embedded and decoded; what becomes of them is the work of others",
			check: imports(func(f file, imported string) bool {
				return f.isTest() && under(imported, "genesis/pkg") || confined("streams", "genesis/streams", natsClient)(f, imported)
			}),
			breaks: []sources{{"streams/a.go": importing("genesis/pkg/bus")}},
			keeps:  []sources{{"streams/a.go": importing("embed")}, {"streams/a_test.go": importing("genesis/pkg/bus")}},
		},
	}
}
