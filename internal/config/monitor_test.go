package config

import (
	"reflect"
	"testing"
	"time"

	"genesis/internal/health"
)

func TestTheDefaultThresholdsAreThoseOfHealth(t *testing.T) {
	got, want := Default().Monitor.HealthThresholds(), health.DefaultThresholds()
	want.Agents = map[string]health.Limits{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAnAgentInheritsTheThresholdsItDoesNotSet(t *testing.T) {
	c, err := loadText("monitor:\n  worse_after: 4\n  thresholds: {lag: {unhealthy: 500, degraded: 200}, min_requests: 7}\n" +
		"  agents:\n    echo: {lag: {degraded: 50}, oldest_age: {degraded: 5s, unhealthy: 0s}}\n    probe:\n")
	if err != nil {
		t.Fatal(err)
	}
	got := c.Monitor.HealthThresholds()
	every := health.DefaultThresholds().Every
	every.Lag, every.MinRequests = health.Level[uint64]{Degraded: 200, Unhealthy: 500}, 7
	echo := every
	echo.Lag.Degraded, echo.OldestAge = 50, health.Level[time.Duration]{Degraded: 5 * time.Second}
	want := health.Thresholds{WorseAfter: 4, BetterAfter: 3, Every: every, Agents: map[string]health.Limits{"echo": echo, "probe": every}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAnIntervalThatNobodySetIsTheProgramsChoice(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                               time.Second,
		"monitor: {history: 5}\n":        time.Second,
		"monitor: {interval: 30s}\n":     30 * time.Second,
		"monitor: {interval: \"30s\"}\n": 30 * time.Second,
	} {
		c, err := loadText(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.MonitorInterval(time.Second); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestMonitorRules(t *testing.T) {
	for _, tt := range []struct{ promise, text, want string }{
		{"an interval is not too short", "monitor: {interval: 99ms}\n", "genesis.yaml:1: monitor.interval: must be from 100ms to 10m, got 99ms"},
		{"an interval is not too long", "monitor: {interval: 11m}\n", "genesis.yaml:1: monitor.interval: must be from 100ms to 10m, got 11m"},
		{"a round counts", "monitor: {worse_after: 0}\n", "genesis.yaml:1: monitor.worse_after: must be from 1 to 64, got 0"},
		{"patience has an end", "monitor: {better_after: 65}\n", "genesis.yaml:1: monitor.better_after: must be from 1 to 64, got 65"},
		{"an address is one", "monitor: {http: here}\n", `genesis.yaml:1: monitor.http: "here" is not an address: missing port in address; write host:port, for example 127.0.0.1:8080`},
		{"a webhook has a scheme", "monitor: {webhook: {url: \"example.com/genesis\"}}\n", "genesis.yaml:1: monitor.webhook.url: not an http or https URL with a host; write for example https://example.com/genesis, or nothing"},
		{"a webhook has a host", "monitor: {webhook: {url: \"https://:443/a\"}}\n", "genesis.yaml:1: monitor.webhook.url: not an http or https URL with a host; write for example https://example.com/genesis, or nothing"},
		{"a webhook's secret is not told", "monitor: {webhook: {url: \"nats://u:secret@h\"}}\n", "genesis.yaml:1: monitor.webhook.url: not an http or https URL with a host; write for example https://example.com/genesis, or nothing"},
		{"a header has a name", "monitor: {webhook: {headers: {\"X Team\": a}}}\n", `genesis.yaml:1: monitor.webhook.headers."X Team": "X Team" is not a header name; use letters, digits and -`},
		{"a threshold is not negative", "monitor: {thresholds: {lag: {degraded: -1}}}\n", "genesis.yaml:1: monitor.thresholds.lag.degraded: must be from 0 to 1000000000, got -1"},
		{"an age is not negative", "monitor: {thresholds: {oldest_age: {unhealthy: -1s}}}\n", "genesis.yaml:1: monitor.thresholds.oldest_age.unhealthy: must be from 0s to 720h, got -1s"},
		{"a part is at most the whole", "monitor: {thresholds: {stream_full: {unhealthy: 95}}}\n", "genesis.yaml:1: monitor.thresholds.stream_full.unhealthy: must be from 0 to 1, got 95"},
		{"degraded is not above unhealthy", "monitor: {thresholds: {oldest_age: {degraded: 11m}}}\n", "genesis.yaml:1: monitor.thresholds.oldest_age.degraded: must be at most unhealthy, which is 10m, got 11m"},
		{"unhealthy is not below degraded", "monitor: {thresholds: {drain_time: {unhealthy: 1.5}}}\n", "genesis.yaml:1: monitor.thresholds.drain_time.unhealthy: must be at least degraded, which is 2, got 1.5"},
		{"an agent is known", "monitor: {agents: {ecco: {lag: {degraded: 5}}}}\n", `genesis.yaml:1: monitor.agents.ecco: unknown agent "ecco"; did you mean "echo"?`},
		{"an agent's own are in order with what it inherits", "monitor:\n  agents:\n    echo:\n      lag: {unhealthy: 999}\n", "genesis.yaml:4: monitor.agents.echo.lag.unhealthy: must be at least degraded, which is 1000, got 999"},
		{"an agent's own are bounded, too", "monitor: {agents: {echo: {min_requests: 0}}}\n", "genesis.yaml:1: monitor.agents.echo.min_requests: must be from 1 to 1000000, got 0"},
	} {
		t.Run(tt.promise, func(t *testing.T) { rejected(t, tt.text, tt.want) })
	}
}

func TestAllThatIsWrongWithTheMonitorIsToldOnce(t *testing.T) {
	rejected(t, `monitor:
  interval: 1h
  webhook: {url: nowhere}
  thresholds:
    lag: {degraded: 500, unhealthy: 400}
    error_rate: {degraded: -0.1}
  agents:
    ecco: {lag: {degraded: 5}}
    probe:
      oldest_age: {degraded: 20m}
      error_rate: {unhealthy: 2}
`,
		`genesis.yaml:2: monitor.interval: must be from 100ms to 10m, got 1h`,
		`genesis.yaml:3: monitor.webhook.url: not an http or https URL with a host; write for example https://example.com/genesis, or nothing`,
		`genesis.yaml:5: monitor.thresholds.lag.degraded: must be at most unhealthy, which is 400, got 500`,
		`genesis.yaml:6: monitor.thresholds.error_rate.degraded: must be from 0 to 1, got -0.1`,
		`genesis.yaml:8: monitor.agents.ecco: unknown agent "ecco"; did you mean "echo"?`,
		`genesis.yaml:10: monitor.agents.probe.oldest_age.degraded: must be at most unhealthy, which is 10m, got 20m`,
		`genesis.yaml:11: monitor.agents.probe.error_rate.unhealthy: must be from 0 to 1, got 2`,
	)
}

func TestAThresholdOfZeroIsNever(t *testing.T) {
	for _, text := range []string{
		"monitor: {thresholds: {lag: {degraded: 5000, unhealthy: 0}}}\n",
		"monitor: {thresholds: {lag: {degraded: 0, unhealthy: 5}, stream_full: {degraded: 0, unhealthy: 0}}, verify_interval: 0s}\n",
		"monitor: {thresholds: {lag: {degraded: 5, unhealthy: 5}}}\n",
	} {
		if _, err := loadText(text); err != nil {
			t.Errorf("Load of %s: got %v, want no error", text, err)
		}
	}
}
