package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

func loadDocument(t testing.TB, g *running) *openapi3.T {
	t.Helper()
	r := g.do(t, get("/openapi.json"))
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %v", r.status, r.header)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(r.body))
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("validate: %v", err)
	}
	return doc
}

func TestTheDocumentIsOpenAPI31AndNamesEveryCall(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	doc := loadDocument(t, g)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Version != "test" {
		t.Errorf("got OpenAPI %s of version %s", doc.OpenAPI, doc.Info.Version)
	}
	for _, want := range []struct{ method, path, statuses string }{
		{"POST", "/v1/agents/{agent}/requests", "200 202 400 401 403 404 408 409 413 415 422 429 500 503"},
		{"GET", "/v1/agents/{agent}/requests/{id}", "200 202 400 401 403 404 500 503"},
		{"DELETE", "/v1/agents/{agent}/requests/{id}", "202 400 401 403 404 409 500 503"},
		{"GET", "/v1/agents", "200 401 403 500 503"},
		{"GET", "/status", "200 500"},
		{"GET", "/health/live", "200 500"},
		{"GET", "/health/ready", "200 500 503"},
		{"GET", "/health/detailed", "200 401 500"},
	} {
		op := doc.Paths.Find(want.path).GetOperation(want.method)
		var got []string
		for status := range strings.FieldsSeq(want.statuses) {
			if op.Responses.Value(status) != nil {
				got = append(got, status)
			}
		}
		if strings.Join(got, " ") != want.statuses || op.Responses.Len() != len(got) {
			t.Errorf("%s %s: got %v of %d, want %s", want.method, want.path, got, op.Responses.Len(), want.statuses)
		}
	}
	if doc.Components.Schemas["ErrorModel"] != nil {
		t.Error("the document holds a problem that nobody sends")
	}
	for _, path := range []string{"/docs", "/schemas/Problem", "/openapi.yaml", "/openapi-3.0.json"} {
		g.do(t, get(path)).problem(t, http.StatusNotFound, "")
	}
}

// contract checks calls and their answers against the document.
type contract struct {
	router routers.Router
}

func newContract(t testing.TB, doc *openapi3.T) contract {
	t.Helper()
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return contract{router}
}

// check fails when a reply is not what the document says of the call. valid tells
// whether the document allows the call itself.
func (c contract) check(t testing.TB, call call, r reply, valid bool) {
	t.Helper()
	req := call.request(t.Context(), t, "")
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		t.Fatalf("%s %s is not in the document: %v", call.method, call.path, err)
	}
	open := func(context.Context, *openapi3filter.AuthenticationInput) error { return nil }
	in := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: open},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), in); (err == nil) != valid {
		t.Errorf("%s %s %s: the document says %v, want allowed: %v", call.method, call.path, call.body, err, valid)
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: r.status, Header: r.header, Body: io.NopCloser(bytes.NewBufferString(r.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s: %d %s is not what the document says: %v", call.method, call.path, r.status, r.body, err)
	}
}

func TestAnswersAreWhatTheDocumentSays(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) { c.Gateway.MaxBody = 2 * config.KiB }))
	c := newContract(t, loadDocument(t, g))
	work(t, g.bus, "echo", echo)
	work(t, g.bus, "probe", func(context.Context, *bus.Job) (bus.Answer, error) {
		return bus.Answer{}, resilience.Permanent(io.ErrUnexpectedEOF)
	})
	const probe = "/v1/agents/probe/requests"
	const waiting = "/v1/agents/assistant/requests"
	for _, tt := range []struct {
		call   call
		status int
		valid  bool
	}{
		{post(requests, hi, "Prefer: wait=20"), 200, true},
		{post(probe, `{"input":{"a":1},"timeout":1.5,"metadata":{}}`, "Prefer: wait=20"), 200, true},
		{post(waiting, hi, "Idempotency-Key: d1"), 202, true},
		{get(waiting + "/d1"), 202, true},
		{remove(waiting + "/d1"), 202, true},
		{get(waiting + "/d1"), 200, true},
		{remove(waiting + "/d1"), 409, true},
		{post(waiting, `{"prompt":"ho"}`, "Idempotency-Key: d1"), 422, true},
		{post(requests, `{}`), 400, false},
		{post(requests, `{"prompt":1}`), 400, false},
		{post(requests, `{"prompt":"hi","x":1}`), 400, false},
		{post(requests, `{"prompt":"hi","timeout":0}`), 400, false},
		{post(requests, `{"prompt":"hi","timeout":1e9}`), 400, false},
		{post(requests+"?lane=x", hi), 400, false},
		{post("/v1/agents/ECHO/requests", hi), 400, false},
		{post("/v1/agents/eco/requests", hi), 404, true},
		{post(requests, `{"prompt":"`+strings.Repeat("x", 3000)+`"}`), 413, true},
		{call{http.MethodPost, requests, hi, []string{"Content-Type: text/plain"}}, 415, false},
		{post(requests, hi, "X-API-Key: x"), 401, true},
		{post(requests, hi, "Origin: https://evil.example"), 403, true},
		{get(requests + "/none"), 404, true},
		{get(requests + "/a.b"), 400, false},
		{get("/v1/agents"), 200, true},
		{get("/status"), 200, true},
		{get("/health/live"), 200, true},
		{get("/health/ready"), 200, true},
		{get("/health/detailed"), 401, true},
		{get("/health/detailed", "Authorization: Bearer operator-token"), 200, true},
	} {
		r := g.do(t, tt.call)
		if r.status != tt.status {
			t.Errorf("%s %s %s: got %d %s, want %d", tt.call.method, tt.call.path, tt.call.body, r.status, r.body, tt.status)
		}
		c.check(t, tt.call, r, tt.valid)
	}
	s.Down(t)
	await(t, "the loss to be noticed", func() bool { return !g.bus.Connected() })
	for _, down := range []call{post(requests, hi), get(requests + "/x"), remove(requests + "/x"), get("/health/ready"), get("/status")} {
		c.check(t, down, g.do(t, down), true)
	}
}
