// Package config reads genesis.yaml, the one file all programs share.
//
// Load merges, weakest first, the built-in defaults, the file, the environment
// and the command line's flags, fills in what an agent leaves to the defaults,
// and validates the whole; every problem found is reported, each with the line,
// the variable or the flag it comes from. A loaded Config needs no further
// fallbacks: read its fields, or ask the methods where one value depends on
// another (Agent.ReservedSlots, NATS.Address, Config.Served).
//
// The package opens no file but the configuration itself and connects to
// nothing: whether a keys file exists or a URL answers is for its user to find
// out. Relative paths are kept as written and mean the working directory.
package config

import (
	"maps"
	"slices"
)

// The environments a system can run in. Drills that harm are refused in
// Production; a gateway without keys is for Development only.
const (
	Development = "development"
	Staging     = "staging"
	Production  = "production"
)

// Config is the whole of genesis.yaml. Its zero value is not usable: start from
// Default or Load. It is not safe for changes by several goroutines.
type Config struct {
	// Environment is where the system runs: development, staging or production. Drills that harm are refused in production. Default: development.
	Environment string `yaml:"environment" enum:"development,staging,production" example:"development"`
	// NATS is the broker and how durably it stores.
	NATS NATS `yaml:"nats"`
	// Gateway is the HTTP front door.
	Gateway Gateway `yaml:"gateway"`
	// Worker is the program that executes requests.
	Worker Worker `yaml:"worker"`
	// Monitor is the program that watches all others.
	Monitor Monitor `yaml:"monitor"`
	// Defaults holds the timeouts used where nothing closer sets one.
	Defaults Defaults `yaml:"defaults"`
	// Policies are how calls of providers are kept from doing harm, by name. The names api_calls and database are always known and may be redefined.
	Policies map[string]Policy `yaml:"policies" example:"{patient: {retry: {max_attempts: 5}}}"`
	// Providers are the things that can answer, by name. The names echo, probe and simulated are always known and may be redefined.
	Providers map[string]Provider `yaml:"providers" example:"{pricing: {kind: http, url: \"http://127.0.0.1:9000/price\"}}"`
	// Agents are what callers send requests to, by name. This section replaces the built-in agents echo, probe and assistant.
	Agents map[string]Agent `yaml:"agents" example:"{hello: {ladder: [{rung: primary, provider: echo}]}}"`

	origins origins
}

// Default returns the configuration that serves when there is no file: agents
// echo, probe (for drills) and assistant (on the simulated provider), each with
// one primary rung, everything on loopback.
func Default() *Config {
	c := base()
	c.resolve()
	return c
}

// AgentNames returns the names of all agents, sorted.
func (c *Config) AgentNames() []string { return slices.Sorted(maps.Keys(c.Agents)) }

// Served returns the names of the agents a worker serves: worker.agents, or all
// of them, sorted, when that list is empty.
func (c *Config) Served() []string {
	if len(c.Worker.Agents) == 0 {
		return c.AgentNames()
	}
	return slices.Clone(c.Worker.Agents)
}

// KeysRequired reports whether a caller must show an API key: always, but for a
// gateway on loopback in development.
func (c *Config) KeysRequired() bool {
	return c.Environment != Development || !c.Gateway.Loopback()
}

// base is the default before resolve: what depends on other values is unset.
func base() *Config {
	return &Config{
		Environment: Development,
		NATS:        defaultNATS(),
		Gateway:     defaultGateway(),
		Worker:      defaultWorker(),
		Monitor:     defaultMonitor(),
		Defaults:    defaultTimeouts(),
		Agents: map[string]Agent{
			"echo":      NewAgent(KindEcho),
			"probe":     NewAgent(KindProbe),
			"assistant": NewAgent(KindSimulated),
		},
		origins: origins{},
	}
}

// resolve fills in what was left to the defaults. A zero somebody wrote is kept
// for Validate to refuse.
func (c *Config) resolve() {
	providers := builtinProviders()
	maps.Copy(providers, c.Providers)
	for name, p := range providers {
		if p.Kind == KindHTTP && p.MaxResponse == 0 && !c.written("providers", name, "max_response") {
			p.MaxResponse = defaultMaxResponse
		}
		if p.Policy == "" && !c.written("providers", name, "policy") {
			p.Policy = p.defaultPolicy()
		}
		providers[name] = p
	}
	c.Providers = providers
	policies := builtinPolicies()
	maps.Copy(policies, c.Policies)
	c.Policies = policies
	for name, p := range policies {
		if b := p.Breaker; b != nil && b.FailureThreshold == 0 && b.FailureRate == 0 && !c.written("policies", name, "breaker", "failure_threshold") {
			b.FailureThreshold = 5
		}
	}
	for name, a := range c.Agents {
		if a.Timeout == 0 && !c.written("agents", name, "timeout") {
			a.Timeout = c.Defaults.Timeout
			c.Agents[name] = a
		}
	}
	c.resolveThresholds()
}

// written reports whether the value at a path was set by the file, the
// environment or a flag.
func (c *Config) written(keys ...string) bool {
	path := ""
	for _, key := range keys {
		path = join(path, key)
	}
	return c.wrote(path)
}

func (c *Config) wrote(path string) bool {
	_, ok := c.origins[path]
	return ok
}
