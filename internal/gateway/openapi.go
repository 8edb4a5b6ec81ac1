package gateway

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"genesis/pkg/bus"
)

const (
	schemeBearer = "apiKey"
	schemeHeader = "apiKeyHeader"
	schemeToken  = "operatorToken"
)

// apiConfig makes huma describe and read calls, and nothing else: no pages that load
// scripts from elsewhere, no links in bodies, and no routes beside ours.
func apiConfig(version string) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Genesis gateway", Version: version,
				Description: "Runs AI-agent requests so that none is lost and every caller gets an answer.",
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					schemeBearer: {Type: "http", Scheme: "bearer", Description: "An API key (gk_...). A gateway on loopback in development needs none."},
					schemeHeader: {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "The same, in a field of its own."},
					schemeToken:  {Type: "http", Scheme: "bearer", Description: "The operator token."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
	c.AllowAdditionalPropertiesByDefault = true // a newer gateway may say more
	return c
}

// requestBody describes the body of POST; [decodeRequest] reads it.
type requestBody struct {
	_        struct{}       `additionalProperties:"false"`
	ID       string         `json:"id,omitempty" doc:"The request's id, as in Idempotency-Key; - is none" example:"order-4711"`
	Method   string         `json:"method,omitempty" maxLength:"64" doc:"What is asked of the agent; execute when left out"`
	Prompt   string         `json:"prompt,omitempty" doc:"Text for the agent; needed when there is no input" example:"hi"`
	Input    map[string]any `json:"input,omitempty" doc:"Object for the agent; needed when there is no prompt"`
	Timeout  float64        `json:"timeout,omitempty" exclusiveMinimum:"0" maximum:"86400" doc:"Bound of one execution in seconds; the agent's own when left out"`
	Metadata map[string]any `json:"metadata,omitempty" doc:"Object that is passed on"`
}

// document writes the OpenAPI document while the routes are registered.
type document struct {
	api      huma.API
	registry huma.Registry
}

func newDocument(api huma.API) document {
	return document{api, api.OpenAPI().Components.Schemas}
}

func schemaOf[T any](d document) *huma.Schema {
	return d.registry.Schema(reflect.TypeFor[T](), true, "")
}

// finish adds what cannot be said with types, and returns the document.
func (d document) finish() *huma.OpenAPI {
	doc := d.api.OpenAPI()
	body := d.registry.SchemaFromRef(schemaOf[requestBody](d).Ref)
	body.AnyOf = []*huma.Schema{{Required: []string{"prompt"}}, {Required: []string{"input"}}}
	// Not before Register: huma would read and check the body itself.
	doc.Paths[pathRequests].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[requestBody](d)}},
	}
	result := d.registry.SchemaFromRef(schemaOf[bus.Result](d).Ref)
	null := &huma.Schema{Type: "null"}
	result.Properties["output"] = &huma.Schema{Description: "What the agent answered; null after a failure", AnyOf: []*huma.Schema{{Type: huma.TypeObject}, null}}
	result.Properties["error"] = &huma.Schema{Description: "Why it failed; null after a success", AnyOf: []*huma.Schema{schemaOf[bus.ResultError](d), null}}
	delete(d.registry.Map(), "ErrorModel") // huma's own problem, which is not used
	return doc
}

// operation is one call: its answers by status, and the problems that it may meet.
func (d document) operation(op huma.Operation, answers map[int]*huma.Response, problems ...kind) huma.Operation {
	op.SkipValidateParams = true // we say what is wrong, in words and with 400
	op.Responses = make(map[string]*huma.Response, len(answers)+len(problems))
	for status, r := range answers {
		if r.Description == "" {
			r.Description = http.StatusText(status)
		}
		op.Responses[strconv.Itoa(status)] = r
	}
	titles := make(map[int][]string)
	for _, k := range append(problems, kindInternal) {
		row := rowOf(k)
		if !slices.Contains(titles[row.status], row.title) {
			titles[row.status] = append(titles[row.status], row.title)
		}
	}
	for status, list := range titles {
		r := &huma.Response{
			Description: strings.Join(list, "; "),
			Content:     map[string]*huma.MediaType{typeProblem: {Schema: schemaOf[Problem](d)}},
		}
		switch status {
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			r.Headers = headers("Retry-After", "Seconds after which to come back")
		case http.StatusUnauthorized:
			r.Headers = headers("WWW-Authenticate", "How to send a key")
		}
		op.Responses[strconv.Itoa(status)] = r
	}
	return op
}

// keyed says that a call needs an API key, if the gateway asks for any.
func keyed() []map[string][]string {
	return []map[string][]string{{schemeBearer: {}}, {schemeHeader: {}}, {}}
}

// content is a response with a JSON body.
func content(description string, schema *huma.Schema, fields map[string]*huma.Param) *huma.Response {
	return &huma.Response{
		Description: description, Headers: fields,
		Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

// headers are header fields with their descriptions, in turn.
func headers(pairs ...string) map[string]*huma.Param {
	fields := make(map[string]*huma.Param, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		fields[pairs[i]] = &huma.Param{Description: pairs[i+1], Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return fields
}
