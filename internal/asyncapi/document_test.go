package asyncapi

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// A document is docs/asyncapi.yaml.
type document struct {
	Channels map[string]channel `yaml:"channels"`
	Buckets  map[string]string  `yaml:"x-kv-buckets"`

	compiler *jsonschema.Compiler
}

// A channel is what the tests look at of one.
type channel struct {
	Address  string               `yaml:"address"`
	Stream   string               `yaml:"x-stream"`
	Messages map[string]reference `yaml:"messages"`
}

type reference struct {
	Ref string `yaml:"$ref"`
}

const location = "asyncapi.json"

// readDocument reads the document. Its schemas let unknown keys and headers pass, as
// readers must; here they refuse what they do not describe.
func readDocument(t *testing.T) *document {
	t.Helper()
	text, err := os.ReadFile("../../docs/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	var whole map[string]any
	for _, into := range []any{&d, &whole} {
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	components := whole["components"].(map[string]any)
	for name, schema := range components["schemas"].(map[string]any) {
		if !strings.HasSuffix(name, "Headers") {
			shut(schema)
		}
	}
	for _, message := range components["messages"].(map[string]any) {
		if headers, has := message.(map[string]any)["headers"].(map[string]any); has {
			headers["unevaluatedProperties"] = false
		}
	}
	data, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	d.compiler = jsonschema.NewCompiler()
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(location, resource); err != nil {
		t.Fatal(err)
	}
	return &d
}

// shut makes the objects of a schema refuse other keys than those that they describe.
func shut(schema any) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	properties, described := s["properties"].(map[string]any)
	if described {
		s["additionalProperties"] = false
	}
	for _, p := range properties {
		shut(p)
	}
	shut(s["items"])
}

// accepts holds a message against one of the document.
func (d *document) accepts(t *testing.T, message string, header nats.Header, payload []byte) {
	t.Helper()
	if err := d.refuses(t, message, header, payload); err != nil {
		t.Errorf("%s: %v\nheader %v\npayload %s", message, err, header, payload)
	}
}

// refuses says why a message is not as the document describes it.
func (d *document) refuses(t *testing.T, message string, header nats.Header, payload []byte) error {
	t.Helper()
	values := map[string]any{}
	for name, v := range header {
		values[name] = v[0]
	}
	if err := d.check(t, message+"/headers", values); err != nil {
		return err
	}
	var value any
	if !d.isBytes(message) {
		var err error
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(payload)); err != nil {
			return err
		}
	}
	return d.check(t, message+"/payload", value)
}

// isBytes tells of messages whose payload is no JSON of ours.
func (*document) isBytes(message string) bool { return message == "deadLetter" || message == "refusal" }

func (d *document) check(t *testing.T, part string, value any) error {
	t.Helper()
	schema, err := d.compiler.Compile(location + "#/components/messages/" + part)
	if strings.HasSuffix(part, "/headers") && err != nil && len(value.(map[string]any)) == 0 {
		return nil // it describes none, and there are none
	}
	if err != nil {
		t.Fatalf("compile %s: %v", part, err)
	}
	return schema.Validate(value)
}

// channelOf finds the channel that a subject belongs to.
func (d *document) channelOf(subject string) (channel, bool) {
	for _, c := range d.Channels {
		if c.Address != "" && pattern(c.Address).MatchString(subject) {
			return c, true
		}
	}
	return channel{}, false
}

// pattern matches the subjects of an address.
func pattern(address string) *regexp.Regexp {
	parts := regexp.MustCompile(`\\{[a-z]+\\}`).Split(regexp.QuoteMeta(address), -1)
	return regexp.MustCompile("^" + strings.Join(parts, `[^.]+`) + "$")
}
