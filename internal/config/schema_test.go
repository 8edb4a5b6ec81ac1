package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const example = "../../examples/genesis.yaml"

// compiled returns the schema ready to validate, which also proves it is one.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("genesis.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("genesis.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// matches validates YAML against the schema.
func matches(t testing.TB, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

func TestTheSchemaAcceptsTheDefaultAndTheExample(t *testing.T) {
	schema := compiled(t)
	var printed bytes.Buffer
	if err := Default().Print(&printed); err != nil {
		t.Fatal(err)
	}
	if err := matches(t, schema, printed.Bytes()); err != nil {
		t.Errorf("default: %v\n%s", err, printed.Bytes())
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if err := matches(t, schema, text); err != nil {
		t.Errorf("example: %v", err)
	}
}

func TestTheSchemaRefusesWhatLoadRefuses(t *testing.T) {
	schema := compiled(t)
	for _, text := range []string{
		"slotz: 1", "environment: test", "nats: {replicas: 2}", "nats: {durability: none}", "gateway: {max_waiters: 0}",
		"gateway: {max_body: 1MB}", "worker: {drain_timeout: 30}", "worker: {drain_timeout: 2d}", "worker: {agents: echo}",
		"providers: {p: {}}", "providers: {P: {kind: echo}}", "providers: {p: {kind: grpc}}", "agents: {a: {}}",
		"agents: {A: {ladder: [{rung: primary, provider: echo}]}}", "agents: {a: {ladder: [{rung: cache}]}}",
		"monitor: {history: 0}", "monitor: {thresholds: {lag: {degraded: -1}}}", "monitor: {thresholds: {error_rate: {unhealthy: 1.1}}}",
		"monitor: {agents: {echo: {lag: 50}}}", "monitor: {agents: {Echo: {}}}", "monitor: {thresholds: {lags: {}}}", "monitor: {webhook: {queue: 0}}",
		"policies: {p: {retry: {max_attempts: 0}}}", "policies: {p: {breaker: {failure_threshold: 0}}}", "policies: {P: {}}",
		"policies: {p: {rate_limit: {}}}", "policies: {p: {bulkhead: {adaptive: {floor: 2}}}}", "policies: {p: {retries: {}}}",
		"agents: {a: {slots: 0, ladder: [{rung: primary, provider: echo}]}}", "agents: {a: {ladder: [{provider: echo}]}}",
	} {
		if err := matches(t, schema, []byte(text)); err == nil {
			t.Errorf("schema accepts %s", text)
		}
		if _, err := loadText(text); err == nil {
			t.Errorf("Load accepts %s", text)
		}
	}
}

func TestEveryKeyOfTheSchemaIsDescribed(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Description          string
		AdditionalProperties any
		Properties           map[string]struct{ Description string }
		Defs                 map[string]json.RawMessage `json:"$defs"`
	}
	var root object
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	check := func(name string, o object) {
		if o.Description == "" || o.AdditionalProperties != false || len(o.Properties) == 0 {
			t.Errorf("%s: got %+v, want a description, properties and additionalProperties false", name, o)
		}
		for key, property := range o.Properties {
			if property.Description == "" {
				t.Errorf("%s.%s: no description", name, key)
			}
		}
	}
	check("root", root)
	for name, raw := range root.Defs {
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		check(name, o)
	}
}

func TestTheExampleShowsEveryKey(t *testing.T) {
	c, err := Load(filepath.FromSlash(example), nil)
	if err != nil {
		t.Fatal(err)
	}
	var missing func(path string, typ reflect.Type) []string
	missing = func(path string, typ reflect.Type) (none []string) {
		switch typ.Kind() {
		case reflect.Pointer:
			return missing(path, typ.Elem())
		case reflect.Map:
			return missing(path+".*", typ.Elem())
		case reflect.Slice:
			return missing(path+"[*]", typ.Elem())
		case reflect.Struct:
			if path == "monitor.agents.*" { // the keys are those of monitor.thresholds
				path = "monitor.thresholds"
			}
			for field := range typ.Fields() {
				if key := keyOf(field); key != "" {
					none = append(none, missing(strings.TrimPrefix(path+"."+key, "."), field.Type)...)
				}
			}
			return none
		}
		path = strings.TrimSuffix(path, "[*]") // a list of texts may be empty
		for written := range c.origins {
			if generic(written) == path {
				return nil
			}
		}
		return []string{path}
	}
	if got := missing("", reflect.TypeFor[Config]()); len(got) > 0 {
		t.Errorf("keys not in %s: %v", example, got)
	}
}

// generic replaces the names and positions in a path by *.
func generic(path string) string {
	parts := strings.Split(path, ".")
	for i := range parts {
		if i == 1 && (parts[0] == "agents" || parts[0] == "policies" || parts[0] == "providers") || i == 3 && parts[2] == "headers" ||
			i == 2 && parts[0] == "monitor" && parts[1] == "agents" {
			parts[i] = "*"
		}
		if open := strings.IndexByte(parts[i], '['); open >= 0 {
			parts[i] = parts[i][:open] + "[*]"
		}
	}
	return strings.Join(parts, ".")
}

func TestTheExamplesValuesAreTheDefaults(t *testing.T) {
	c, err := Load(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Policies, want.Providers, want.Agents, want.origins = c.Policies, c.Providers, c.Agents, c.origins
	want.Monitor.Webhook.Headers, want.Monitor.Agents = c.Monitor.Webhook.Headers, c.Monitor.Agents
	if !reflect.DeepEqual(c, want) {
		t.Errorf("sections of the example: got %+v, want the defaults %+v", c, want)
	}
	agent := NewAgent("")
	agent.Ladder, agent.Timeout = c.Agents["summarizer"].Ladder, seconds(45)
	if got := c.Agents["summarizer"]; !reflect.DeepEqual(got, agent) {
		t.Errorf("agents.summarizer: got %+v, want the defaults %+v", got, agent)
	}
}
