package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPolicyRules(t *testing.T) {
	const at = "genesis.yaml:3: policies.p"
	for _, tt := range []struct{ promise, content, want string }{
		{"a section that is written has content", "retry:", at + ".retry: has no value; remove the key or write a mapping such as {max_attempts: 3}"},
		{"a section is a mapping", "breaker: 5", at + ".breaker: want a mapping such as {failure_threshold: 5}, got 5"},
		{"keys are known", "breaker: {failure_treshold: 5}", `genesis.yaml:3: unknown key "failure_treshold" in policies.p.breaker; did you mean "failure_threshold"?`},
		{"one attempt at least", "retry: {max_attempts: 0}", at + ".retry.max_attempts: must be from 1 to 100, got 0"},
		{"no delay is negative", "retry: {initial_delay: -1s}", at + ".retry.initial_delay: must be from 0s to 24h, got -1s"},
		{"delays grow", "retry: {initial_delay: 2s, max_delay: 1s}", at + ".retry.initial_delay: must be at most max_delay 1s, got 2s"},
		{"a factor does not shrink", "retry: {backoff_factor: 0.5}", at + ".retry.backoff_factor: must be from 1 to 1000, got 0.5"},
		{"an error class is known", "retry: {retry_on: [timeout, connect]}", at + `.retry.retry_on[1]: unknown error class "connect"; did you mean "connection"?`},
		{"what is rejected is not waited for", "retry: {retry_on: [rejected]}", at + ".retry.retry_on[0]: rejected is never tried again here; remove it"},
		{"an error is tried again or not", "retry: {retry_on: [timeout], dont_retry_on: [timeout]}", at + ".retry.retry_on[0]: timeout is in dont_retry_on too; remove one"},
		{"a threshold of zero never opens", "breaker: {failure_threshold: 0}", at + ".breaker.failure_threshold: must be from 1 to 1000000, got 0"},
		{"a threshold is not negative", "breaker: {failure_threshold: -1}", at + ".breaker.failure_threshold: must be from 1 to 1000000, got -1"},
		{"a recovery takes time", "breaker: {recovery_timeout: 0s}", at + ".breaker.recovery_timeout: must be from 1ms to 24h, got 0s"},
		{"a rate is a part", "breaker: {failure_rate: 1.5}", at + ".breaker.failure_rate: must be more than 0 and at most 1, got 1.5"},
		{"a rate that is written is not zero", "breaker: {failure_rate: 0}", at + ".breaker.failure_rate: must be more than 0 and at most 1, got 0"},
		{"a slow rate knows what is slow", "breaker: {slow_rate: 0.5}", at + ".breaker.slow_rate: needs slow_call: without it no call is slow"},
		{"a probe at least", "breaker: {probes: 0}", at + ".breaker.probes: must be from 1 to 1000, got 0"},
		{"a timeout is positive", "timeout: 0s", at + ".timeout: must be more than 0s and at most 24h, got 0s"},
		{"a timeout ends before the deadline", "{timeout: 9s, deadline: 8s}", at + ".timeout: must be at most deadline 8s, got 9s"},
		{"a rate limit has a rate", "rate_limit: {burst: 5}", at + ".rate_limit.per_second: missing; write a number such as 10"},
		{"a rate limit lets some through", "rate_limit: {per_second: -1}", at + ".rate_limit.per_second: must be more than 0 and at most 1000000, got -1"},
		{"a shared limit can be leased", "rate_limit: {per_second: 100, burst: 5, shared: true}", at + ".rate_limit.burst: must be at least 20, a fifth of per_second, when shared; got 5"},
		{"a bulkhead has slots", "bulkhead: {max_waiting: 5}", at + ".bulkhead: needs slots or adaptive; write for example slots: 4"},
		{"no slots at all let nobody through", "bulkhead: {slots: 0}", at + ".bulkhead.slots: must be from 1 to 100000, got 0"},
		{"slots are fixed or found", "bulkhead: {slots: 5, adaptive: {ceiling: 9}}", at + ".bulkhead.adaptive: slots is there too; remove one"},
		{"a floor is below its ceiling", "bulkhead: {adaptive: {floor: 5, ceiling: 4}}", at + ".bulkhead.adaptive.floor: must be at most ceiling 4, got 5"},
		{"a ceiling is needed", "bulkhead: {adaptive: {floor: 5}}", at + ".bulkhead.adaptive.ceiling: missing; write a whole number such as 50"},
		{"who waits may wait", "bulkhead: {slots: 5, max_wait: 1s}", at + ".bulkhead.max_wait: needs max_waiting: without it no call waits"},
		{"a bulkhead's name is plain", "bulkhead: {slots: 5, name: \"a b\"}", at + `.bulkhead.name: "a b" cannot name a bulkhead; use a small letter, then up to 31 small letters, digits, _ and -`},
		{"a budget allows something", "retry_budget: {ratio: 0}", at + ".retry_budget.ratio: must be more than 0 and at most 10, got 0"},
	} {
		t.Run(tt.promise, func(t *testing.T) { rejected(t, "policies:\n  p:\n    "+tt.content+"\n", tt.want) })
	}
}

func TestAllThatIsWrongWithPoliciesIsSaidAtOnce(t *testing.T) {
	rejected(t, `policies:
  none: {}
  a: {retry: {initial_delay: -1s}, breaker: {failure_threshold: 0}}
  b:
    bulkhead: {name: io, slots: 4}
  c:
    bulkhead: {name: io, slots: 5}
providers:
  p: {kind: echo, policy: databse}
  q: {kind: echo, policy: ""}
agents:
  x: {timeout: 2s, ladder: [{rung: primary, provider: p, min_time: 3s}]}
`,
		`genesis.yaml:2: policies.none: "none" cannot name a policy; use a small letter, then up to 31 small letters, digits, _ and -, and not none, which means no policy`,
		"genesis.yaml:3: policies.a.breaker.failure_threshold: must be from 1 to 1000000, got 0",
		"genesis.yaml:3: policies.a.retry.initial_delay: must be from 0s to 24h, got -1s",
		`genesis.yaml:7: policies.c.bulkhead: the bulkhead "io" is described otherwise in policies.b; policies that share one must say the same`,
		`genesis.yaml:9: providers.p.policy: unknown policy "databse"; did you mean "database"?`,
		`genesis.yaml:10: providers.q.policy: unknown policy ""; known: a, api_calls, b, c, database, none, none`,
		"genesis.yaml:12: agents.x.ladder[0].min_time: must be at most the agent's timeout 2s, got 3s: the rung would never be tried",
	)
}

func TestACycleOfSharedBulkheadsIsRefused(t *testing.T) {
	rejected(t, `policies:
  a:
    bulkhead: {name: cpu, slots: 4, within: [io]}
  b:
    bulkhead: {name: net, slots: 4, within: [cpu]}
  c:
    bulkhead:
      name: io
      slots: 10
      within: [net]
`,
		`genesis.yaml:10: policies.c.bulkhead.within: a cycle: policies.a takes "io" and then "cpu", policies.b takes "cpu" and then "net", `+
			`policies.c takes "net" and then "io"; calls would wait for each other, so take them in the same order everywhere`)
	rejected(t, `policies:
  a: {bulkhead: {name: cpu, slots: 4, within: [cpu, oi]}}
  b: {bulkhead: {name: io, slots: 4}}
`,
		"genesis.yaml:2: policies.a.bulkhead.within[0]: a bulkhead is not within itself; remove it",
		`genesis.yaml:2: policies.a.bulkhead.within[1]: unknown bulkhead "oi"; known: cpu, io`)
	if _, err := loadText(`policies:
  a: {bulkhead: {name: cpu, slots: 4}}
  b: {bulkhead: {name: io, slots: 4, within: [cpu]}}
  c: {bulkhead: {slots: 2, within: [cpu, io]}}
`); err != nil {
		t.Errorf("one order: got %v, want no error", err)
	}
}

func TestThePresetsAreTheGuides(t *testing.T) {
	want := map[string]Policy{
		"api_calls": {
			Retry: &Retry{
				MaxAttempts: 3, InitialDelay: seconds(1), MaxDelay: seconds(30), BackoffFactor: 2, Jitter: true,
				RetryOn: []string{"connection", "timeout"},
			},
			Breaker: &Breaker{FailureThreshold: 5, RecoveryTimeout: seconds(60), Window: seconds(60), MinCalls: 20, Probes: 1},
		},
		"database": {
			Retry:   &Retry{MaxAttempts: 5, InitialDelay: Duration(100 * time.Millisecond), MaxDelay: seconds(5), BackoffFactor: 2, Jitter: true},
			Breaker: &Breaker{FailureThreshold: 10, RecoveryTimeout: seconds(30), Window: seconds(60), MinCalls: 20, Probes: 1},
		},
	}
	if got := Default().Policies; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhatAPolicyLeavesOutHasItsDefault(t *testing.T) {
	c, err := loadText(`
policies:
  api_calls: {breaker: {}}
  rates: {breaker: {failure_rate: 0.5}, retry: {}, retry_budget: {}, bulkhead: {adaptive: {ceiling: 9}}}
providers:
  web: {kind: http, url: "http://h"}
  free: {kind: http, url: "http://h", policy: none}
  local: {kind: simulated}
`)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Policies["api_calls"]; p.Retry != nil || p.Breaker.FailureThreshold != 5 {
		t.Errorf("api_calls redefined: got %+v %+v, want a breaker that opens after 5 failures and nothing else", p, p.Breaker)
	}
	p := c.Policies["rates"]
	if p.Breaker.FailureThreshold != 0 || p.Breaker.MinCalls != 20 || p.Retry.MaxAttempts != 3 || p.RetryBudget.Ratio != 0.2 || p.Bulkhead.Adaptive.Floor != 1 {
		t.Errorf("rates: got %+v %+v %+v %+v", p.Breaker, p.Retry, p.RetryBudget, p.Bulkhead.Adaptive)
	}
	var got []string
	for _, name := range []string{"web", "free", "local", "echo"} {
		got = append(got, c.Providers[name].Policy)
	}
	if want := "api_calls none none none"; strings.Join(got, " ") != want {
		t.Errorf("policies of web, free, local and echo: got %v, want %s", got, want)
	}
}
