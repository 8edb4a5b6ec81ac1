package config

import (
	"os"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestTheEnvironmentIsOverTheFile(t *testing.T) {
	for _, tt := range []struct {
		variable string
		get      func(*Config) any
		want     any
	}{
		{"GENESIS_ENVIRONMENT=staging", func(c *Config) any { return c.Environment }, "staging"},
		{"GENESIS_NATS_URL=nats://h:1,nats://i:1", func(c *Config) any { return c.NATS.Address() }, "nats://h:1,nats://i:1"},
		{"GENESIS_NATS_URL=", func(c *Config) any { return c.NATS.Address() }, "nats://file:4222"},
		{"GENESIS_NATS_CREDENTIALS=/c", func(c *Config) any { return c.NATS.Credentials }, "/c"},
		{"GENESIS_DURABILITY=strict", func(c *Config) any { return c.NATS.Durability }, "strict"},
		{"GENESIS_REPLICAS=3", func(c *Config) any { return c.NATS.Replicas }, 3},
		{"GENESIS_GATEWAY_HTTP=127.0.0.1:0", func(c *Config) any { return c.Gateway.HTTP }, "127.0.0.1:0"},
		{"GENESIS_WORKER_HTTP=:9", func(c *Config) any { return c.Worker.HTTP }, ":9"},
		{"GENESIS_WORKER_AGENTS= echo, probe ,", func(c *Config) any { return c.Served() }, []string{"echo", "probe"}},
		{"GENESIS_MONITOR_HTTP=:8", func(c *Config) any { return c.Monitor.HTTP }, ":8"},
		{"GENESIS_MONITOR_INTERVAL=5s", func(c *Config) any { return c.MonitorInterval(time.Second) }, 5 * time.Second},
		{"GENESIS_WEBHOOK_URL=https://h/p", func(c *Config) any { return c.Monitor.Webhook.URL }, "https://h/p"},
		{"GENESIS_KEYS_FILE=/k", func(c *Config) any { return c.Gateway.KeysFile }, "/k"},
		{"GENESIS_DRAIN_TIMEOUT=7s", func(c *Config) any { return []Duration{c.Gateway.DrainTimeout, c.Worker.DrainTimeout} }, []Duration{seconds(7), seconds(7)}},
		{"AGENT_DEFAULT_TIMEOUT=31", func(c *Config) any { return []Duration{c.Defaults.Timeout, c.Agents["echo"].Timeout} }, []Duration{seconds(31), seconds(31)}},
		{"LLM_TIMEOUT=0.5", func(c *Config) any { return c.Defaults.LLMTimeout.String() }, "500ms"},
		{"DATABASE_TIMEOUT=2m", func(c *Config) any { return c.Defaults.DatabaseTimeout }, seconds(120)},
		{"REDIS_TIMEOUT=1e1", func(c *Config) any { return c.Defaults.RedisTimeout }, seconds(10)},
	} {
		t.Run(tt.variable, func(t *testing.T) {
			c, err := loadText("nats: {url: \"nats://file:4222\", replicas: 5}\nworker: {agents: [assistant], drain_timeout: 1s}\n", tt.variable)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.get(c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestABadVariableIsNamed(t *testing.T) {
	for _, tt := range []struct{ variable, want string }{
		{"GENESIS_ENVIRONMENT=prod", `GENESIS_ENVIRONMENT: environment: must be development, staging or production, got "prod"; did you mean "production"?`},
		{"GENESIS_REPLICAS=three", `GENESIS_REPLICAS: nats.replicas: want a whole number such as 3, got "three"`},
		{"GENESIS_REPLICAS=2", `GENESIS_REPLICAS: nats.replicas: must be 1, 3 or 5, got 2`},
		{"GENESIS_WORKER_AGENTS=echo,eco", `GENESIS_WORKER_AGENTS: worker.agents[1]: unknown agent "eco"; did you mean "echo"?`},
		{"AGENT_DEFAULT_TIMEOUT=0", `AGENT_DEFAULT_TIMEOUT: defaults.timeout: must be more than 0s and at most 24h, got 0s`},
		{"LLM_TIMEOUT=NaN", `LLM_TIMEOUT: defaults.llm_timeout: "NaN" is not a duration; write for example 45s, 1m30s or 500ms`},
		{"LLM_TIMEOUT=1e300", `LLM_TIMEOUT: defaults.llm_timeout: "1` + longZeros + `"... is not a duration; write for example 45s, 1m30s or 500ms`},
		{"GENESIS_MONITOR_INTERVAL=30", `GENESIS_MONITOR_INTERVAL: monitor.interval: 30 has no unit; write "30s"`},
		{"GENESIS_WEBHOOK_URL=ftp://u:secret@h", `GENESIS_WEBHOOK_URL: monitor.webhook.url: not an http or https URL with a host; write for example https://example.com/genesis, or nothing`},
		{"GENESIS_KEYS_FILE=\xff", `GENESIS_KEYS_FILE: gateway.keys_file: the value is not UTF-8 text`},
		{
			"GENESIS_DRAIN_TIMEOUT=30", "GENESIS_DRAIN_TIMEOUT: gateway.drain_timeout: 30 has no unit; write \"30s\"\n" +
				"GENESIS_DRAIN_TIMEOUT: worker.drain_timeout: 30 has no unit; write \"30s\"",
		},
	} {
		t.Run(tt.variable, func(t *testing.T) {
			_, err := loadText("worker:\n  agents:\n    - echo\n    - probe\n", tt.variable)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

const longZeros = "000000000000000000000000000000000000000000000000000000000000000"

func TestFlagsAreOverTheEnvironment(t *testing.T) {
	c, err := Load(writeFile(t, "gateway: {http: \"0.0.0.0:1\"}\n"), environment("GENESIS_GATEWAY_HTTP=0.0.0.0:2", "GENESIS_WORKER_AGENTS=echo"),
		Override{Path: "gateway.http", Value: "127.0.0.1:3", Source: "--http"},
		Override{Path: "worker.agents", Value: "probe,assistant", Source: "--agents"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Gateway.HTTP, "127.0.0.1:3"; got != want {
		t.Errorf("gateway.http: got %s, want %s", got, want)
	}
	if got, want := c.Served(), []string{"probe", "assistant"}; !slices.Equal(got, want) {
		t.Errorf("worker.agents: got %v, want %v", got, want)
	}
}

func TestABadFlagIsNamed(t *testing.T) {
	for _, tt := range []struct {
		flag Override
		want string
	}{
		{Override{"worker.agents", "ech", "--agents"}, `--agents: worker.agents[0]: unknown agent "ech"; did you mean "echo"?`},
		{Override{"gateway.max_body", "1MB", "--max-body"}, `--max-body: gateway.max_body: unknown unit "MB"; did you mean "1MiB"?`},
		{Override{"gateway.rate_limit.requests_per_second", "x", "--rate"}, `--rate: gateway.rate_limit.requests_per_second: want a number such as 50, got "x"`},
		{Override{"gateway.https", "x", "--https"}, `--https: gateway.https: no such setting`},
		{Override{"agents.echo.slots", "1", "--slots"}, `--slots: agents.echo.slots: no such setting`},
		{Override{"nats", "x", "--nats"}, `--nats: nats: want a mapping such as {key: value}, got "x"`},
	} {
		if _, err := Load("", nil, tt.flag); err == nil || err.Error() != tt.want {
			t.Errorf("Load with %+v: got %v, want %s", tt.flag, err, tt.want)
		}
	}
}

func TestEveryVariableSetsAKnownPath(t *testing.T) {
	for _, v := range Variables() {
		if v.Help == "" || len(v.Paths) == 0 {
			t.Errorf("%s: got %+v, want help and a path", v.Name, v)
		}
		for _, path := range v.Paths {
			var p problems
			Default().apply(Override{path, "1", v.Name}, &p)
			if err := p.err(); err != nil && err.Error() == v.Name+": "+path+": no such setting" {
				t.Error(err)
			}
		}
	}
}

func TestTheProcessEnvironmentFits(t *testing.T) {
	t.Setenv("GENESIS_REPLICAS", "3")
	c, err := Load("", os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.NATS.Replicas, 3; got != want {
		t.Errorf("nats.replicas: got %d, want %d", got, want)
	}
}
