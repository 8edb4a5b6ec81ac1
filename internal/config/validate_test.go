package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// agent is a file with one agent that holds the given lines.
func agent(lines ...string) string {
	return "agents:\n  a:\n    " + strings.Join(lines, "\n    ") + "\n"
}

const oneRung = "ladder: [{rung: primary, provider: echo}]"

func TestAgentRules(t *testing.T) {
	for _, tt := range []struct{ promise, text, want string }{
		{"slots begin at 1", agent("slots: 0", oneRung), "genesis.yaml:3: agents.a.slots: must be from 1 to 10000, got 0"},
		{"slots end at 10000", agent("slots: 10001", oneRung), "genesis.yaml:3: agents.a.slots: must be from 1 to 10000, got 10001"},
		{
			"batch keeps a slot", agent("slots: 4", "reserved_interactive: 4", oneRung),
			"genesis.yaml:4: agents.a.reserved_interactive: must be from -1 to 3, one less than slots, so that batch has a slot; got 4",
		},
		{"reserved is -1 or more", agent("reserved_interactive: -2", oneRung), "genesis.yaml:3: agents.a.reserved_interactive: must be from -1 to 9999, got -2"},
		{"a timeout written as zero is no default", agent("timeout: 0s", oneRung), "genesis.yaml:3: agents.a.timeout: must be more than 0s and at most 24h, got 0s"},
		{"a timeout is positive", agent("timeout: -1s", oneRung), "genesis.yaml:3: agents.a.timeout: must be more than 0s and at most 24h, got -1s"},
		{"a timeout is a day at most", agent("timeout: 25h", oneRung), "genesis.yaml:3: agents.a.timeout: must be more than 0s and at most 24h, got 25h"},
		{
			"ack_wait outlives a pause", agent("ack_wait: 99ms", oneRung),
			"genesis.yaml:3: agents.a.ack_wait: must be from 100ms to 24h (workers show that they live several times within it, " +
				"and a shorter one takes a brief pause for a death), got 99ms",
		},
		{"one attempt at least", agent("delivery: {max_attempts: 0}", oneRung), "genesis.yaml:3: agents.a.delivery.max_attempts: must be from 1 to 1000, got 0"},
		{"1000 attempts at most", agent("delivery: {max_attempts: 1001}", oneRung), "genesis.yaml:3: agents.a.delivery.max_attempts: must be from 1 to 1000, got 1001"},
		{"delays grow", agent("delivery: {initial_delay: 2s, max_delay: 1s}", oneRung), "genesis.yaml:3: agents.a.delivery.initial_delay: must be at most max_delay 1s, got 2s"},
		{"no delay is negative", agent("delivery: {initial_delay: -2s}", oneRung), "genesis.yaml:3: agents.a.delivery.initial_delay: must be from 0s to 24h, got -2s"},
		{"delays do not shrink", agent("delivery: {backoff_factor: 0.5}", oneRung), "genesis.yaml:3: agents.a.delivery.backoff_factor: must be from 1 to 1000, got 0.5"},
		{"a factor is a number", agent("delivery: {backoff_factor: .nan}", oneRung), "genesis.yaml:3: agents.a.delivery.backoff_factor: must be from 1 to 1000, got NaN"},
		{"a factor is finite", agent("delivery: {backoff_factor: .inf}", oneRung), "genesis.yaml:3: agents.a.delivery.backoff_factor: must be from 1 to 1000, got +Inf"},
		{"one may be pending", agent("max_pending: 0", oneRung), "genesis.yaml:3: agents.a.max_pending: must be from 1 to 1000000000, got 0"},
		{"a ladder has rungs", agent("slots: 1"), "genesis.yaml:2: agents.a.ladder: missing; write a list such as [{rung: primary, provider: echo}]"},
		{"an empty ladder is none", agent("ladder: []"), "genesis.yaml:3: agents.a.ladder: missing; write a list such as [{rung: primary, provider: echo}]"},
		{"an agent without content has no ladder", "agents:\n  a:\n", "genesis.yaml:1: agents.a.ladder: missing; write a list such as [{rung: primary, provider: echo}]"},
		{
			"an agent's name fits a subject", "agents:\n  A_b: {" + oneRung + "}\n",
			`genesis.yaml:2: agents.A_b: "A_b" cannot name an agent; use a small letter, then up to 31 small letters, digits and -`,
		},
		{"no agents at all are none to serve", "agents: {}\n", "genesis.yaml:1: agents: there are none; add one, or remove the section to use the built-in ones"},
	} {
		t.Run(tt.promise, func(t *testing.T) { rejected(t, tt.text, tt.want) })
	}
}

func TestLadderRules(t *testing.T) {
	const at = "genesis.yaml:4: agents.a.ladder[0]"
	for _, tt := range []struct{ promise, rungs, want string }{
		{"a rung has a rank", "- {provider: echo}", at + `.rung: missing; write a text such as primary`},
		{"a rank is known", "- {rung: primry, provider: echo}", at + `.rung: must be primary, fallback or static, got "primry"; did you mean "primary"?`},
		{"cache is not built", "- {rung: cache}", at + ".rung: cache is not available in this version; remove the rung"},
		{"the first rung is primary", "- {rung: fallback, provider: echo}", at + `.rung: the first rung must be primary, got "fallback"`},
		{"static alone is no ladder", "- {rung: static, text: x}", at + `.rung: the first rung must be primary, got "static"`},
		{
			"only the first rung is primary", "- {rung: primary, provider: echo}\n    - {rung: primary, provider: probe}",
			"genesis.yaml:5: agents.a.ladder[1].rung: only the first rung is primary; call this one fallback",
		},
		{"a provider is needed", "- {rung: primary}", at + ".provider: missing; write for example provider: echo"},
		{"a provider is known", "- {rung: primary, provider: simulate}", at + `.provider: unknown provider "simulate"; did you mean "simulated"?`},
		{"unlike names are listed", "- {rung: primary, provider: vertex}", at + `.provider: unknown provider "vertex"; known: echo, probe, simulated`},
		{"only static has a text", "- {rung: primary, provider: echo, text: x}", at + ".text: only the rung static has a text; remove it"},
		{
			"static has a text", "- {rung: primary, provider: echo}\n    - {rung: static}",
			"genesis.yaml:5: agents.a.ladder[1].text: the rung static needs it: it is the whole answer",
		},
		{
			"static has no provider", "- {rung: primary, provider: echo}\n    - {rung: static, text: x, provider: echo}",
			"genesis.yaml:5: agents.a.ladder[1].provider: the rung static has none; remove it, or call the rung fallback",
		},
		{
			"static is last", "- {rung: primary, provider: echo}\n    - {rung: static, text: x}\n    - {rung: fallback, provider: echo}",
			"genesis.yaml:5: agents.a.ladder[1].rung: static must be the last rung, because it always answers; move it to the end",
		},
	} {
		t.Run(tt.promise, func(t *testing.T) { rejected(t, agent("ladder:", tt.rungs), tt.want) })
	}
}

func TestProviderRules(t *testing.T) {
	const at = "genesis.yaml:3: providers.p"
	const example = "; write for example http://127.0.0.1:9000/price"
	for _, tt := range []struct{ promise, content, want string }{
		{"a kind is needed", "url: http://h", "genesis.yaml:2: providers.p.kind: missing; write a text such as echo"},
		{"a kind is known", "kind: htpp", at + `.kind: must be echo, probe, simulated or http, got "htpp"; did you mean "http"?`},
		{"http needs a URL", "kind: http", "genesis.yaml:2: providers.p.url: the kind http needs it" + example},
		{"a URL has a host", "{kind: http, url: \"http:///x\"}", at + ".url: not an http or https URL with a host" + example},
		{"a URL is http", "{kind: http, url: \"ftp://h\"}", at + ".url: not an http or https URL with a host" + example},
		{"a URL is well formed", "{kind: http, url: \"http://[h\"}", at + ".url: not an http or https URL with a host" + example},
		{"echo has no URL", "{kind: echo, url: \"http://h\"}", at + ".url: only the kind http has it; remove it or write kind: http"},
		{"echo has no headers", "{kind: echo, headers: {A: b}}", at + ".headers: only the kind http has it; remove it or write kind: http"},
		{"echo has no max_response", "{kind: echo, max_response: 1MiB}", at + ".max_response: only the kind http has it; remove it or write kind: http"},
		{"a header has a name", "{kind: http, url: \"http://h\", headers: {\"a b\": c}}", at + `.headers."a b": "a b" is not a header name; use letters, digits and -`},
		{"a header is one line", "{kind: http, url: \"http://h\", headers: {A: \"b\\nc\"}}", at + ".headers.A: the value holds a control character, which no header may"},
		{"an answer has room", "{kind: http, url: \"http://h\", max_response: 0}", at + ".max_response: must be from 1KiB to 64MiB, got 0B"},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			text := "providers:\n  p:\n    " + tt.content + "\n"
			if strings.HasPrefix(tt.want, "genesis.yaml:2: providers.p.kind") {
				tt.want += "\n" + at + ".url: only the kind http has it; remove it or write kind: http"
			}
			rejected(t, text, tt.want)
		})
	}
	t.Run("a name fits", func(t *testing.T) {
		rejected(t, "providers:\n  9p: {kind: echo}\n",
			`genesis.yaml:2: providers.9p: "9p" cannot name a provider; use a small letter, then up to 31 small letters, digits and -`)
	})
}

func TestSectionRules(t *testing.T) {
	const address = `; write host:port, for example 127.0.0.1:8080`
	for _, tt := range []struct{ promise, text, want string }{
		{"environments are three", "environment: test\n", `genesis.yaml:1: environment: must be development, staging or production, got "test"`},
		{"durability is one of three", "nats: {durability: none}\n", `genesis.yaml:1: nats.durability: must be relaxed, standard or strict, got "none"`},
		{"replicas are odd", "nats: {replicas: 2}\n", "genesis.yaml:1: nats.replicas: must be 1, 3 or 5, got 2"},
		{"NATS speaks its own schemes", "nats: {url: \"http://h\"}\n", `genesis.yaml:1: nats.url: the scheme must be nats, tls, ws or wss, got "http"; write for example nats://127.0.0.1:4222`},
		{"a NATS URL has a host", "nats: {url: \"nats://u:secret@:4222\"}\n", "genesis.yaml:1: nats.url: not a URL with a host; write for example nats://127.0.0.1:4222"},
		{"no NATS URL is empty", "nats: {url: \"nats://a,,nats://b\"}\n", "genesis.yaml:1: nats.url: one of the URLs is empty; write for example nats://127.0.0.1:4222"},
		{"an address has a port", "gateway: {http: localhost}\n", `genesis.yaml:1: gateway.http: "localhost" is not an address: missing port in address` + address},
		{"a port is a number", "worker: {http: \"localhost:http\"}\n", `genesis.yaml:1: worker.http: "localhost:http" is not an address: the port must be from 0 to 65535` + address},
		{"a port has 16 bits", "worker: {http: \"localhost:65536\"}\n", `genesis.yaml:1: worker.http: "localhost:65536" is not an address: the port must be from 0 to 65535` + address},
		{"a host is a host", "worker: {http: \"a b:1\"}\n", `genesis.yaml:1: worker.http: "a b:1" is not an address: the host is neither a name nor an IP address` + address},
		{"an address is needed", "worker: {http: \"\"}\n", "genesis.yaml:1: worker.http: missing; write a text such as 127.0.0.1:8082"},
		{"a body has room", "gateway: {max_body: 1023}\n", "genesis.yaml:1: gateway.max_body: must be from 1KiB to 64MiB, got 1023B"},
		{"a body is bounded", "gateway: {max_body: 65MiB}\n", "genesis.yaml:1: gateway.max_body: must be from 1KiB to 64MiB, got 65MiB"},
		{"someone may wait", "gateway: {max_waiters: 0}\n", "genesis.yaml:1: gateway.max_waiters: must be from 1 to 1000000, got 0"},
		{"no rate is negative", "gateway: {rate_limit: {requests_per_second: -1}}\n", "genesis.yaml:1: gateway.rate_limit.requests_per_second: must be from 0 to 1000000, got -1"},
		{"no burst is negative", "gateway: {rate_limit: {burst: -1}}\n", "genesis.yaml:1: gateway.rate_limit.burst: must be from 0 to 1000000, got -1"},
		{"reading is bounded", "gateway: {read_timeout: 0s}\n", "genesis.yaml:1: gateway.read_timeout: must be more than 0s and at most 24h, got 0s"},
		{"draining is not negative", "worker: {drain_timeout: -1s}\n", "genesis.yaml:1: worker.drain_timeout: must be from 0s to 24h, got -1s"},
		{"a default timeout is positive", "defaults: {llm_timeout: 0s}\n", "genesis.yaml:1: defaults.llm_timeout: must be more than 0s and at most 24h, got 0s"},
		{"a worker serves what is there", "worker: {agents: [ech]}\n", `genesis.yaml:1: worker.agents[0]: unknown agent "ech"; did you mean "echo"?`},
		{"a worker serves it once", "worker: {agents: [echo, probe, echo]}\n", `genesis.yaml:1: worker.agents[2]: agent "echo" is listed twice, first at position 1`},
	} {
		t.Run(tt.promise, func(t *testing.T) { rejected(t, tt.text, tt.want) })
	}
}

func TestAGatewayOthersCanReachNeedsKeys(t *testing.T) {
	for _, tt := range []struct {
		address, environment string
		needed               bool
	}{
		{"127.0.0.1:8080", Development, false},
		{"localhost:0", Development, false},
		{"[::1]:8080", Staging, false},
		{"[::ffff:127.0.0.1]:8080", Development, false},
		{"127.9.9.9:8080", Production, false},
		{":8080", Development, true},
		{"0.0.0.0:8080", Development, true},
		{"[::]:8080", Staging, true},
		{"10.0.0.1:8080", Production, true},
		{"gateway.internal:8080", Production, true},
	} {
		t.Run(tt.environment+" "+tt.address, func(t *testing.T) {
			text := "environment: " + tt.environment + "\ngateway:\n  http: \"" + tt.address + "\"\n"
			if tt.needed {
				rejected(t, text, `genesis.yaml:2: gateway.keys_file: needed because gateway.http "`+tt.address+
					"\" is not loopback; set it to a path and run `genesis keys add NAME`, or listen on 127.0.0.1")
			} else if _, err := loadText(text); err != nil {
				t.Errorf("without keys_file: got %v, want none needed", err)
			}
			c, err := loadText(text + "  keys_file: keys.json\n")
			if err != nil {
				t.Fatalf("with keys_file: %v", err)
			}
			if got, want := c.KeysRequired(), tt.needed || tt.environment != Development; got != want {
				t.Errorf("KeysRequired: got %t, want %t", got, want)
			}
		})
	}
}

func TestValuesAtTheirBoundsAreAccepted(t *testing.T) {
	for _, text := range []string{
		agent("slots: 1", "reserved_interactive: 0", oneRung),
		agent("slots: 10000", "reserved_interactive: 9999", oneRung),
		agent("timeout: 1ns", "ack_wait: 100ms", "max_pending: 1", oneRung),
		agent("timeout: 24h", "delivery: {max_attempts: 1000, initial_delay: 0s, max_delay: 0s, backoff_factor: 1, jitter: false}", oneRung),
		"agents:\n  a" + strings.Repeat("-", 30) + "9: {" + oneRung + "}\n",
		"nats: {url: \"127.0.0.1:4222, tls://u:p@h,wss://h:443\", replicas: 5, durability: strict}\n",
		"gateway: {max_body: 1024, http: \"127.0.0.1:0\"}\n",
		"gateway: {max_body: 64MiB, drain_timeout: 0s}\n",
		"worker: {http: \":0\", agents: [probe, echo]}\n",
	} {
		if _, err := loadText(text); err != nil {
			t.Errorf("Load of\n%sgot %v, want no error", text, err)
		}
	}
}

func TestValidateNeedsNoFile(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Fatalf("Default().Validate: %v", err)
	}
	c.NATS.Replicas, c.Gateway.HTTP = 4, "8080"
	want := "nats.replicas: must be 1, 3 or 5, got 4"
	err := c.Validate()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("Validate: got %v, want two errors, one of them %s", err, want)
	}
	var first *Error
	if !errors.As(err, &first) || first.Path != "gateway.http" {
		t.Errorf("errors.As: got %+v, want the *Error of gateway.http", first)
	}
}

// A bound that does not parse would silently be 0.
func TestEveryBoundInATagParses(t *testing.T) {
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for f := range typ.Fields() {
			for _, tag := range []string{"min", "max", "above"} {
				if text, ok := f.Tag.Lookup(tag); ok {
					if err := parse(text, reflect.New(f.Type).Elem(), ""); err != nil {
						t.Errorf("%s.%s, tag %s: %v", typ, f.Name, tag, err)
					}
				}
			}
			switch elem := f.Type; elem.Kind() {
			case reflect.Map, reflect.Slice:
				if elem.Elem().Kind() == reflect.Struct {
					walk(elem.Elem())
				}
			case reflect.Struct:
				walk(elem)
			case reflect.Pointer:
				walk(elem.Elem())
			}
		}
	}
	for f := range reflect.TypeFor[Config]().Fields() {
		if f.IsExported() && f.Type.Kind() == reflect.Struct {
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Policy]())
	walk(reflect.TypeFor[Provider]())
	walk(reflect.TypeFor[Agent]())
}
