package agents_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"genesis/pkg/agents"
)

func TestNewHTTPChecksTheURL(t *testing.T) {
	tests := []struct{ name, url, want string }{
		{"http", "http://127.0.0.1:9000/price", ""},
		{"https with a query", "https://prices.example/?key=a", ""},
		{"any case of the scheme", "HTTP://prices.example", ""},
		{"an address of version 6", "http://[::1]:9000", ""},
		{"empty", "", "the url is empty"},
		{"no scheme", "prices.example/price", "want http:// or https://"},
		{"a host and a port alone", "localhost:9000", "want http:// or https://"},
		{"a path alone", "/price", "want http:// or https://"},
		{"another scheme", "ftp://prices.example", "want http:// or https://"},
		{"no host", "http:///price", "has no host"},
		{"a port alone", "http://:9000/", "has no host"},
		{"no slashes", "http:prices.example", "has no host"},
		{"a port that is no number", "http://prices.example:x/", "does not parse"},
		{"a space in the host", "http://prices example/", "does not parse"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := agents.NewHTTP(agents.HTTPOptions{URL: tt.url})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want it accepted, input %q", err, tt.url)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want it to say %q, input %q", err, tt.want, tt.url)
			}
		})
	}
}

func TestNewHTTPKeepsSecretsOutOfItsErrors(t *testing.T) {
	for _, url := range []string{"ftp://user:secret@prices.example/?key=secret", "http://user:secret@/x", "http://user:secret@prices.example:x/"} {
		_, err := agents.NewHTTP(agents.HTTPOptions{URL: url})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want an error without the secret", err)
		}
	}
}

func TestNewHTTPChecksTheHeaders(t *testing.T) {
	tests := []struct {
		name    string
		headers map[string]string
		want    string
	}{
		{"none", nil, ""},
		{"any case", map[string]string{"x-team": "a", "AUTHORIZATION": "Bearer b"}, ""},
		{"a tab and letters beyond ASCII in a value", map[string]string{"X-Team": "a\tü"}, ""},
		{"an empty name", map[string]string{"": "a"}, "the name is not valid"},
		{"a space in a name", map[string]string{"X Team": "a"}, "the name is not valid"},
		{"a letter beyond ASCII in a name", map[string]string{"X-Tüam": "a"}, "the name is not valid"},
		{"a line end in a value", map[string]string{"X-Team": "secret\r\nX-Admin: 1"}, "characters that are not allowed"},
		{"one name in two cases", map[string]string{"X-Team": "a", "x-team": "b"}, "given twice"},
		{"the content type", map[string]string{"content-type": "text/plain"}, "set by the agent itself"},
		{"the idempotency key", map[string]string{"Idempotency-Key": "a"}, "set by the agent itself"},
		{"the framing", map[string]string{"Transfer-Encoding": "chunked"}, "set by the agent itself"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := agents.NewHTTP(agents.HTTPOptions{URL: "http://prices.example", Headers: tt.headers})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want them accepted, input %q", err, tt.headers)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want it to say %q, input %q", err, tt.want, tt.headers)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("got %v, want no value in it", err)
			}
		})
	}
}

func TestHTTPSendsTheUserOfItsURL(t *testing.T) {
	tests := []struct {
		name    string
		headers map[string]string
		want    string
	}{
		{"as basic authentication", nil, "Basic dXNlcjpwYXNz"},
		{"unless there is an Authorization", map[string]string{"authorization": "Bearer b"}, "Bearer b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("Authorization")
			}))
			defer server.Close()
			agent, err := agents.NewHTTP(agents.HTTPOptions{
				URL:     strings.Replace(server.URL, "//", "//user:pass@", 1),
				Headers: tt.headers,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer closeAgent(t, agent)
			if _, err := agent.Handle(t.Context(), agents.Task{}); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
