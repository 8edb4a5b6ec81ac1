package config

import (
	"testing"
)

func TestStrictDecoding(t *testing.T) {
	const hello = "agents:\n  hello:\n    ladder: [{rung: primary, provider: echo}]\n"
	for _, tt := range []struct{ promise, text, want string }{
		{
			"an unknown key names its line, its section and the nearest key",
			"agents:\n  summarizer:\n    ladder: [{rung: primary, provider: echo}]\n    slotz: 3\n",
			`genesis.yaml:4: unknown key "slotz" in agents.summarizer; did you mean "slots"?`,
		},
		{
			"an unknown section is at the top level",
			"agent: {}\n",
			`genesis.yaml:1: unknown key "agent" at the top level; did you mean "agents"?`,
		},
		{
			"an unknown key like no other lists the known ones",
			"nats:\n  zzz: 1\n",
			`genesis.yaml:2: unknown key "zzz" in nats; known: credentials, durability, replicas, url`,
		},
		{
			"another style of writing is recognised",
			"gateway:\n  maxBody: 1MiB\n",
			`genesis.yaml:2: unknown key "maxBody" in gateway; did you mean "max_body"?`,
		},
		{
			"an unknown key in a list item names the item",
			hello + "  two:\n    ladder:\n      - {rung: primary, provder: echo}\n",
			`genesis.yaml:6: unknown key "provder" in agents.two.ladder[0]; did you mean "provider"?`,
		},
		{
			"a key written twice names both lines",
			"nats:\n  replicas: 1\n  replicas: 3\n",
			`genesis.yaml:3: nats.replicas: the key is there twice, first on line 2; remove one`,
		},
		{
			"a section written twice is no merge",
			"nats: {}\nnats: {}\n",
			`genesis.yaml:2: nats: the key is there twice, first on line 1; remove one`,
		},
		{
			"a word for a number",
			"nats:\n  replicas: three\n",
			`genesis.yaml:2: nats.replicas: want a whole number such as 3, got "three"`,
		},
		{
			"a fraction for a whole number",
			"nats:\n  replicas: 1.5\n",
			`genesis.yaml:2: nats.replicas: want a whole number such as 3, got 1.5`,
		},
		{
			"a number beyond any whole number",
			"gateway:\n  max_waiters: 99999999999999999999\n",
			`genesis.yaml:2: gateway.max_waiters: want a whole number such as 10, got 99999999999999999999`,
		},
		{
			"a number for a text is to be quoted",
			"gateway:\n  keys_file: 12\n",
			`genesis.yaml:2: gateway.keys_file: want a text such as /etc/genesis/keys.json, got 12 (put it in quotes to make it a text)`,
		},
		{
			"a date for a text is to be quoted",
			"gateway:\n  keys_file: 2020-01-01\n",
			`genesis.yaml:2: gateway.keys_file: want a text such as /etc/genesis/keys.json, got 2020-01-01 (put it in quotes to make it a text)`,
		},
		{
			"yes is not true",
			"agents:\n  hello:\n    ladder: [{rung: primary, provider: echo}]\n    delivery: {jitter: yes}\n",
			`genesis.yaml:4: agents.hello.delivery.jitter: want true or false, got "yes"`,
		},
		{
			"a text for a section",
			"nats: localhost\n",
			`genesis.yaml:1: nats: want a mapping such as {key: value}, got "localhost"`,
		},
		{
			"a list for a section",
			"agents:\n  - hello\n",
			`genesis.yaml:1: agents: want a mapping such as {hello: {ladder: [{rung: primary, provider: echo}]}}, got a list`,
		},
		{
			"a text for a list",
			"worker:\n  agents: echo\n",
			`genesis.yaml:2: worker.agents: want a list such as [echo, assistant], got "echo"`,
		},
		{
			"a mapping for a number",
			"nats:\n  replicas:\n    n: 3\n",
			`genesis.yaml:2: nats.replicas: want a whole number such as 3, got a mapping`,
		},
		{
			"a duration without a unit",
			"worker:\n  drain_timeout: 45\n",
			`genesis.yaml:2: worker.drain_timeout: 45 has no unit; write "45s"`,
		},
		{
			"a zero without a unit",
			"worker:\n  drain_timeout: 0\n",
			`genesis.yaml:2: worker.drain_timeout: 0 has no unit; write "0s"`,
		},
		{
			"a duration in days",
			"worker:\n  drain_timeout: 2d\n",
			`genesis.yaml:2: worker.drain_timeout: "2d" is not a duration; write for example 45s, 1m30s or 500ms`,
		},
		{
			"true for a duration",
			"worker:\n  drain_timeout: true\n",
			`genesis.yaml:2: worker.drain_timeout: want a duration such as 45s, got true`,
		},
		{
			"a size in decimal units",
			"gateway:\n  max_body: 2MB\n",
			`genesis.yaml:2: gateway.max_body: unknown unit "MB"; did you mean "2MiB"?`,
		},
		{
			"a key without a value",
			"nats:\n  replicas:\n",
			`genesis.yaml:2: nats.replicas: has no value; remove the key or write a whole number such as 3`,
		},
		{
			"a key that is a list",
			"[a]: 1\n",
			`genesis.yaml:1: a key must be a word, not a list or a mapping`,
		},
		{
			"a whole file that is a list",
			"- a\n- b\n",
			`genesis.yaml:1: want a mapping such as {key: value}, got a list`,
		},
		{
			"a merge of a text",
			"nats:\n  <<: abc\n",
			`genesis.yaml:2: nats: << wants a mapping, such as *other, got "abc"`,
		},
	} {
		t.Run(tt.promise, func(t *testing.T) { rejected(t, tt.text, tt.want) })
	}
}

func TestAllErrorsAreReportedAtOnceInTheOrderOfLines(t *testing.T) {
	rejected(t, `
environment: prod
natz: {}
gateway:
  max_body: 1
  read_timeout: 10
agents:
  one:
    slots: 0
    ladder: [{rung: primary, provider: ecko}]
  two:
    slotz: 1
    ladder: [{rung: primary, provider: echo}, {rung: cache}]
`,
		`genesis.yaml:2: environment: must be development, staging or production, got "prod"; did you mean "production"?`,
		`genesis.yaml:3: unknown key "natz" at the top level; did you mean "nats"?`,
		`genesis.yaml:5: gateway.max_body: must be from 1KiB to 64MiB, got 1B`,
		`genesis.yaml:6: gateway.read_timeout: 10 has no unit; write "10s"`,
		`genesis.yaml:9: agents.one.slots: must be from 1 to 10000, got 0`,
		`genesis.yaml:10: agents.one.ladder[0].provider: unknown provider "ecko"; did you mean "echo"?`,
		`genesis.yaml:12: unknown key "slotz" in agents.two; did you mean "slots"?`,
		`genesis.yaml:13: agents.two.ladder[1].rung: cache is not available in this version; remove the rung`,
	)
}

func TestErrorsThatOnlyFollowFromAnotherAreNotReported(t *testing.T) {
	t.Run("a missing provider whose key is misspelt", func(t *testing.T) {
		rejected(t, "agents:\n  a:\n    ladder:\n      - rung: primary\n        provder: echo\n",
			`genesis.yaml:5: unknown key "provder" in agents.a.ladder[0]; did you mean "provider"?`)
	})
	t.Run("unknown providers when the section is broken", func(t *testing.T) {
		rejected(t, "providers: []\nagents:\n  a: {ladder: [{rung: primary, provider: mine}]}\n",
			`genesis.yaml:1: providers: want a mapping such as {pricing: {kind: http, url: "http://127.0.0.1:9000/price"}}, got a list`)
	})
}

func TestAliasesAndMerges(t *testing.T) {
	c, err := loadText(`
agents:
  one: &one
    slots: 3
    timeout: 7s
    ladder: &ladder
      - {rung: primary, provider: echo}
  two:
    <<: *one
    slots: 4
  three:
    <<: [{max_pending: 9}, *one]
    ladder: *ladder
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Agents["two"]; got.Slots != 4 || got.Timeout != seconds(7) || len(got.Ladder) != 1 {
		t.Errorf("agents.two: got %+v, want slots 4 of its own, timeout 7s and one rung of agents.one", got)
	}
	if got := c.Agents["three"]; got.Slots != 3 || got.MaxPending != 9 {
		t.Errorf("agents.three: got %+v, want slots 3 and max_pending 9", got)
	}
}

func TestAnErrorInAMergedMappingIsAtTheAnchorsLine(t *testing.T) {
	rejected(t, "agents:\n  one: &one\n    slots: x\n    ladder: [{rung: primary, provider: echo}]\n  two: {<<: *one}\n",
		`genesis.yaml:3: agents.one.slots: want a whole number such as 10, got "x"`,
		`genesis.yaml:3: agents.two.slots: want a whole number such as 10, got "x"`)
}
