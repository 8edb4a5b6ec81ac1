package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Schema returns the JSON Schema (2020-12) of the file, for editors and other
// tools. It is made from the same types, tags and comments that Load and
// Validate use. It cannot say everything: what depends on several values, and
// the bounds of durations, only Load checks.
func Schema() ([]byte, error) {
	comments, err := fieldComments()
	if err != nil {
		return nil, fmt.Errorf("describe configuration: %w", err)
	}
	reflector := jsonschema.Reflector{
		Anonymous:                  true,
		ExpandedStruct:             true,
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		Mapper:                     mapScalar,
		LookupComment:              func(t reflect.Type, field string) string { return comments[t.Name()+"."+field] },
	}
	s := reflector.Reflect(&Config{})
	s.Title, s.Description = "genesis.yaml", "The configuration of all Genesis programs."
	preset := NewAgent("")
	var retry Retry
	var breaker Breaker
	retry.preset()
	breaker.preset()
	for _, v := range []any{
		*base(), defaultNATS(), defaultGateway(),
		RateLimit{},
		defaultWorker(), defaultMonitor(), defaultWebhook(), defaultThresholds(),
		CountLevels{},
		AgeLevels{},
		FactorLevels{},
		ShareLevels{},
		defaultTimeouts(),
		Policy{},
		retry,
		RetryBudget{Ratio: 0.2, PerSecond: 3},
		breaker,
		CallRate{},
		Bulkhead{},
		Adaptive{Floor: 1},
		Provider{},
		preset, preset.Delivery,
		Rung{},
	} {
		target := s
		if t := reflect.TypeOf(v); t != reflect.TypeFor[Config]() {
			target = s.Definitions[t.Name()]
		}
		refine(target, reflect.ValueOf(v))
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return append(out, '\n'), nil
}

// mapScalar gives the schema of the types that are written as text.
func mapScalar(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{
			Type:    "string",
			Pattern: `^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`,
		}
	case reflect.TypeFor[Size]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "integer"},
			{Type: "string", Pattern: `^[0-9]+ *(B|KiB|MiB|GiB)?$`},
		}}
	}
	return nil
}

// refine adds what the tags of v's fields say, and v's values as the defaults.
func refine(s *jsonschema.Schema, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		property, ok := s.Properties.Get(keyOf(f))
		if !ok {
			continue
		}
		if f.Tag.Get("required") != "" {
			s.Required = append(s.Required, keyOf(f))
		}
		for allowed := range strings.SplitSeq(f.Tag.Get("enum"), ",") {
			if allowed != "" {
				property.Enum = append(property.Enum, literal(f.Type, allowed))
			}
		}
		if kind := f.Type.Kind(); kind == reflect.Int || kind == reflect.Float64 {
			property.Minimum = json.Number(f.Tag.Get("min"))
			property.Maximum = json.Number(f.Tag.Get("max"))
		}
		if f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct {
			property.PropertyNames = &jsonschema.Schema{Pattern: namePattern.String()}
			if f.Type.Elem() == reflect.TypeFor[Policy]() {
				property.PropertyNames.Pattern = policyName.String()
			}
		}
		if value := v.Field(i); value.Comparable() && !value.IsZero() && value.Kind() != reflect.Struct {
			property.Default = value.Interface()
		}
	}
	// A key of the whole or of a section is never required: it has a default.
	switch v.Interface().(type) {
	case Agent, Provider, Rung, CallRate, Adaptive:
	default:
		s.Required = nil
	}
}

// literal returns an enum's member as JSON of the field's type.
func literal(t reflect.Type, text string) any {
	if t.Kind() == reflect.Int {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return text
}
