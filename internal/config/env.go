package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Override is a value that replaces the file's, as text: what a flag gives.
type Override struct {
	// Path is the value's place, such as gateway.http. Entries of agents and
	// providers cannot be overridden.
	Path string
	// Value is parsed by the type at Path; a list is separated by commas.
	Value string
	// Source is named in errors instead of the file's line: "--http".
	Source string
}

// Variable is an environment variable that overrides the file.
type Variable struct {
	// Name of the variable.
	Name string
	// Paths it sets.
	Paths []string
	// Seconds tells that a bare number is accepted and counts seconds.
	Seconds bool
	// Help is one line of documentation.
	Help string
}

// Variables returns every environment variable read, in the order of the
// documentation. One that is set but empty counts as not set.
func Variables() []Variable {
	return []Variable{
		{Name: "GENESIS_ENVIRONMENT", Paths: []string{"environment"}, Help: "development, staging or production"},
		{Name: "GENESIS_NATS_URL", Paths: []string{"nats.url"}, Help: "URL of the NATS servers, several separated by commas"},
		{Name: "GENESIS_NATS_CREDENTIALS", Paths: []string{"nats.credentials"}, Help: "path of a NATS .creds file"},
		{Name: "GENESIS_DURABILITY", Paths: []string{"nats.durability"}, Help: "relaxed, standard or strict"},
		{Name: "GENESIS_REPLICAS", Paths: []string{"nats.replicas"}, Help: "copies of each stream: 1, 3 or 5"},
		{Name: "GENESIS_GATEWAY_HTTP", Paths: []string{"gateway.http"}, Help: "address of the gateway, host:port"},
		{Name: "GENESIS_WORKER_HTTP", Paths: []string{"worker.http"}, Help: "address of the worker's health and metrics, host:port"},
		{Name: "GENESIS_WORKER_AGENTS", Paths: []string{"worker.agents"}, Help: "agents the worker serves, separated by commas"},
		{Name: "GENESIS_MONITOR_HTTP", Paths: []string{"monitor.http"}, Help: "address of the monitor's console and HTTP, host:port"},
		{Name: "GENESIS_MONITOR_INTERVAL", Paths: []string{"monitor.interval"}, Help: "time from one look at everything to the next"},
		{Name: "GENESIS_WEBHOOK_URL", Paths: []string{"monitor.webhook.url"}, Help: "where each health event is posted"},
		{Name: "GENESIS_KEYS_FILE", Paths: []string{"gateway.keys_file"}, Help: "path of the API keys"},
		{Name: "GENESIS_DRAIN_TIMEOUT", Paths: []string{"gateway.drain_timeout", "worker.drain_timeout"}, Help: "how long a stopping program finishes what it holds"},
		{Name: "AGENT_DEFAULT_TIMEOUT", Paths: []string{"defaults.timeout"}, Seconds: true, Help: "bound of one execution"},
		{Name: "LLM_TIMEOUT", Paths: []string{"defaults.llm_timeout"}, Seconds: true, Help: "bound of one call of a model"},
		{Name: "DATABASE_TIMEOUT", Paths: []string{"defaults.database_timeout"}, Seconds: true, Help: "bound of one call of a database"},
		{Name: "REDIS_TIMEOUT", Paths: []string{"defaults.redis_timeout"}, Seconds: true, Help: "bound of one call of Redis"},
	}
}

// fromEnvironment returns the overrides of the variables that are set.
func fromEnvironment(env func(string) (string, bool)) []Override {
	if env == nil {
		return nil
	}
	var found []Override
	for _, v := range Variables() {
		text, ok := env(v.Name)
		if !ok || text == "" {
			continue
		}
		if v.Seconds {
			text = withUnit(text)
		}
		for _, path := range v.Paths {
			found = append(found, Override{path, text, v.Name})
		}
	}
	return found
}

// withUnit appends s to a bare number.
func withUnit(text string) string {
	if n, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
		return strconv.FormatFloat(n, 'f', -1, 64) + "s"
	}
	return text
}

// apply sets the value at o.Path.
func (c *Config) apply(o Override, p *problems) {
	fail := func(message string) {
		p.add(&Error{Source: o.Source, Path: o.Path, Message: message, broken: o.Path})
	}
	v, example := reflect.ValueOf(c).Elem(), ""
	for key := range strings.SplitSeq(o.Path, ".") {
		if v.Kind() != reflect.Struct {
			fail("no such setting")
			return
		}
		i, ok := fields(v.Type())[key]
		if !ok {
			fail("no such setting")
			return
		}
		v, example = v.Field(i), v.Type().Field(i).Tag.Get("example")
	}
	if !utf8.ValidString(o.Value) {
		fail("the value is not UTF-8 text")
		return
	}
	fresh := reflect.New(v.Type()).Elem()
	if err := parse(o.Value, fresh, example); err != nil {
		fail(err.Error())
		return
	}
	v.Set(fresh)
	c.origins.override(o.Path, o.Source)
}
