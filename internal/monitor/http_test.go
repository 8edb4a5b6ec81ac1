package monitor

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
)

// serve serves a monitor that does not run, by its own server with a short time to read
// a request.
func serve(t *testing.T) (m *Server, url string) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{URL: "nats://127.0.0.1:1", Background: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if m, err = New(Options{Config: testConfig(), Bus: b, Version: "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	server := m.newHTTP()
	server.ReadTimeout, server.ReadHeaderTimeout = 50*time.Millisecond, 50*time.Millisecond
	ts := &httptest.Server{Listener: m.listener, Config: server}
	ts.Start()
	t.Cleanup(func() {
		m.feed.end()
		ts.Close()
	})
	return m, ts.URL
}

// ask calls a monitor.
func ask(t *testing.T, client *http.Client, method, url string) (code int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func TestAStreamOfEventsOutlivesTheTimeToReadARequest(t *testing.T) {
	t.Parallel()
	m, url := serve(t)
	lines, _ := listen(t, url+"/v1/events", nil)
	idle := time.NewTimer(200 * time.Millisecond)
	<-idle.C
	m.feed.add(bus.StoredHealthEvent{HealthEvent: bus.HealthEvent{ID: "1", Component: agentEcho(), Data: bus.HealthData{State: bus.StateDegraded}}, Sequence: 7})
	if got, want := lines(), "id: 7"; got != want {
		t.Errorf("after a while without events: got %q, want %q", got, want)
	}
}

func TestWhatIsAskedWronglyIsAProblem(t *testing.T) {
	t.Parallel()
	_, url := serve(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, tt := range []struct {
		method, path string
		code         int
		kind         string // of the content; empty: any
	}{
		{http.MethodGet, "/v1/nothing", http.StatusNotFound, "application/problem+json"},
		{http.MethodGet, "/v1/", http.StatusNotFound, "application/problem+json"},
		{http.MethodGet, "/nothing", http.StatusNotFound, ""},
		{http.MethodPost, "/v1/lag", http.StatusMethodNotAllowed, ""},
		{http.MethodDelete, "/v1/nothing", http.StatusMethodNotAllowed, ""},
		{http.MethodPut, "/status", http.StatusMethodNotAllowed, ""},
		{http.MethodGet, "/v1/lag", http.StatusServiceUnavailable, "application/problem+json"}, // no round yet
		{http.MethodGet, "/v1/lag?agent=UP", http.StatusBadRequest, "application/problem+json"},
		{http.MethodGet, "/v1/lag?agent=echo&history=-1", http.StatusBadRequest, "application/problem+json"},
		{http.MethodGet, "/v1/lag?history=1001", http.StatusBadRequest, "application/problem+json"},
		{http.MethodGet, "/v1/lag?history=x", http.StatusBadRequest, "application/problem+json"},
		{http.MethodGet, "/health/detailed", http.StatusForbidden, "application/problem+json"}, // there is no token
		{http.MethodHead, "/v1/workers", http.StatusOK, "application/json"},
		{http.MethodGet, "/v1/breakers", http.StatusServiceUnavailable, "application/problem+json"},
		{http.MethodGet, "/v1/dead-letters", http.StatusServiceUnavailable, "application/problem+json"},
		{http.MethodHead, "/v1/events", http.StatusOK, "text/event-stream"},
		{http.MethodGet, "/health/live", http.StatusOK, "application/json"}, // on the same connection
	} {
		code, header, body := ask(t, client, tt.method, url+tt.path)
		kind := header.Get("Content-Type")
		if code != tt.code || tt.kind != "" && kind != tt.kind {
			t.Errorf("%s %s: got %d %s, want %d %s: %s", tt.method, tt.path, code, kind, tt.code, tt.kind, body)
		}
		if tt.kind != "" && header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s may be cached: %q", tt.method, tt.path, header.Get("Cache-Control"))
		}
		if strings.HasPrefix(kind, "application/problem") {
			var p struct {
				Status        int
				Title, Detail string
			}
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Status != tt.code || p.Title == "" || p.Detail == "" {
				t.Errorf("%s %s: got %s (%v), want a problem of status %d", tt.method, tt.path, body, err, tt.code)
			}
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", maxHeader+8<<10))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: got %d, want 431", resp.StatusCode)
	}
}
