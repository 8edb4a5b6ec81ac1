package agents_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

// serve runs handler on a real server and returns an agent that posts to it.
func serve(t testing.TB, o agents.HTTPOptions, handler http.HandlerFunc) agents.Agent {
	t.Helper()
	server := httptest.NewServer(handler)
	o.URL = server.URL + "/price"
	agent, err := agents.NewHTTP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeAgent(t, agent)
		server.Close()
	})
	return agent
}

// closeAgent releases what an agent holds.
func closeAgent(t testing.TB, agent agents.Agent) {
	t.Helper()
	if err := agent.(io.Closer).Close(); err != nil {
		t.Errorf("close: got %v, want nil", err)
	}
}

// respond is a handler that always answers so.
func respond(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType == "" {
			w.Header()["Content-Type"] = nil // no guess by the server
		} else {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestHTTPSendsTheTask(t *testing.T) {
	tests := []struct {
		name string
		task agents.Task
		want string
	}{
		{
			"whole",
			agents.Task{
				ID: "order-7", Agent: "price", Method: "execute", Prompt: "how <much>?", Attempt: 2, TraceID: "abc",
				Input: json.RawMessage(`{"sku":"a"}`), Metadata: json.RawMessage(`{"team":"b"}`),
			},
			`{"id":"order-7","method":"execute","prompt":"how <much>?","input":{"sku":"a"},"metadata":{"team":"b"},"attempt":2}`,
		},
		{
			"without what it does not have",
			agents.Task{ID: "order-7", Method: "execute", Prompt: "hi", Attempt: 1},
			`{"id":"order-7","method":"execute","prompt":"hi","attempt":1}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var request *http.Request
			var body []byte
			agent := serve(t, agents.HTTPOptions{Headers: map[string]string{"x-team": "a", "Host": "prices.example"}},
				func(w http.ResponseWriter, r *http.Request) {
					request = r
					body, _ = io.ReadAll(r.Body)
					respond(http.StatusOK, "application/json", `{"price":9}`)(w, r)
				})
			result, err := agent.Handle(t.Context(), tt.task)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, result.Output, `{"price":9}`)
			sameJSON(t, body, tt.want)
			if got := request.Method + " " + request.URL.Path; got != "POST /price" {
				t.Errorf("got %q, want POST /price", got)
			}
			if request.Host != "prices.example" {
				t.Errorf("host: got %q, want the custom one", request.Host)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/json", "Idempotency-Key": "order-7", "X-Team": "a", "User-Agent": "genesis",
			} {
				if got := request.Header.Get(name); got != want {
					t.Errorf("header %s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestHTTPRefusesATaskItCannotSend(t *testing.T) {
	agent := serve(t, agents.HTTPOptions{}, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	_, err := agent.Handle(t.Context(), agents.Task{ID: "7", Input: json.RawMessage(`{"a":`)})
	if !resilience.IsPermanent(err) {
		t.Errorf("got %v, want a permanent error", err)
	}
}

func TestHTTPStopsWithItsContext(t *testing.T) {
	errDrain := errors.New("draining")
	tests := []struct {
		name  string
		begin func(http.ResponseWriter)
	}{
		{"before the answer", func(http.ResponseWriter) {}},
		{"in the middle of the answer", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"a":`)
			_ = http.NewResponseController(w).Flush()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			agent := serve(t, agents.HTTPOptions{}, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the hang-up
				tt.begin(w)
				cancel(errDrain)
				<-r.Context().Done()
			})
			_, err := agent.Handle(ctx, agents.Task{})
			if !errors.Is(err, errDrain) && !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the end of the context", err)
			}
			if resilience.IsPermanent(err) {
				t.Errorf("got a permanent %v, want it retryable", err)
			}
		})
	}
}

func TestHTTPWithoutAServerIsRetryable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // its port refuses connections now
	agent, err := agents.NewHTTP(agents.HTTPOptions{URL: server.URL + "/price?key=secret"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = agent.Handle(t.Context(), agents.Task{})
	if err == nil || resilience.IsPermanent(err) || !strings.Contains(err.Error(), server.URL+"/price: ") {
		t.Errorf("got %v, permanent %v, want a retryable error that names the URL", err, resilience.IsPermanent(err))
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want no query in it", err)
	}
}

func TestHTTPReusesItsConnection(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"after an answer", respond(200, "application/json", `{"a":1}`)},
		{"after a refusal", respond(503, "application/json", `{"detail":"busy"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var connections atomic.Int32
			server := httptest.NewUnstartedServer(tt.handler)
			server.Config.ConnState = countNew(&connections)
			server.Start()
			defer server.Close()
			agent, err := agents.NewHTTP(agents.HTTPOptions{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				_, _ = agent.Handle(t.Context(), agents.Task{})
			}
			if got := connections.Load(); got != 1 {
				t.Errorf("got %d connections for 5 requests, want 1", got)
			}
			closeAgent(t, agent)
			closeAgent(t, agent) // each ladder that shares it closes it
		})
	}
}
