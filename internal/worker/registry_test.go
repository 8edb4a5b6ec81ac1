package worker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"genesis/internal/config"
	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

func testGuards(t testing.TB, cfg *config.Config) *guards {
	t.Helper()
	g, err := newGuards(cfg, "w1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestEachKindOfProviderAnswers(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"team":%q}`, r.Header.Get("X-Team"))
	}))
	defer web.Close()
	cfg := loadConfig(t, `
providers:
  pricing: {kind: http, url: "`+web.URL+`", headers: {X-Team: blue}}
agents:
  e: {ladder: [{rung: primary, provider: echo}]}
  p: {ladder: [{rung: primary, provider: probe}]}
  s: {ladder: [{rung: primary, provider: simulated}]}
  h: {ladder: [{rung: primary, provider: pricing}, {rung: static, text: busy}]}
`)
	registry, err := newRegistry(testGuards(t, cfg), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = registry.Close() }()
	for _, tt := range []struct{ agent, want, provider string }{
		{"e", `{"text":"hi"}`, "echo"},
		{"p", `{"text":"hi","attempt":1}`, "probe"},
		{"s", `{"text":"[simulated] No model`, "simulated"},
		{"h", `{"team":"blue"}`, "pricing"},
	} {
		a, ok := registry.Get(tt.agent)
		if !ok {
			t.Fatalf("agent %s: not there", tt.agent)
		}
		r, err := a.Handle(t.Context(), agents.Task{Prompt: "hi", Attempt: 1})
		if err != nil || !strings.HasPrefix(string(r.Output), tt.want) || r.Rung != "primary" || r.Provider != tt.provider || r.Degraded {
			t.Errorf("agent %s: got %s by %s of %s, %v; want %s by primary of %s", tt.agent, r.Output, r.Rung, r.Provider, err, tt.want, tt.provider)
		}
	}
}

func TestAProbeEndsTheProcessOnlyOutsideProduction(t *testing.T) {
	for _, tt := range []struct {
		environment string
		given       bool
		want        int // exit code; 0: refused
	}{
		{"development", true, 3},
		{"staging", true, 3},
		{"production", true, 0},
		{"development", false, 0},
	} {
		t.Run(fmt.Sprintf("%s, exit given %v", tt.environment, tt.given), func(t *testing.T) {
			code := 0
			var exit func(int)
			if tt.given {
				exit = func(c int) { code = c }
			}
			cfg := loadConfig(t, "environment: "+tt.environment+"\n")
			registry, err := newRegistry(testGuards(t, cfg), exit)
			if err != nil {
				t.Fatal(err)
			}
			probe, _ := registry.Get("probe")
			_, err = probe.Handle(t.Context(), agents.Task{Attempt: 1, Input: json.RawMessage(`{"exit":true}`)})
			if code != tt.want {
				t.Errorf("exit code: got %d, want %d", code, tt.want)
			}
			if tt.want == 0 && !resilience.IsPermanent(err) {
				t.Errorf("refused: got %v, want a permanent error", err)
			}
		})
	}
}

func TestABadProviderIsNamed(t *testing.T) {
	for _, tt := range []struct {
		provider config.Provider
		want     string
	}{
		{config.Provider{Kind: "oracle"}, `provider x: unknown kind "oracle"`},
		{config.Provider{Kind: config.KindHTTP, URL: "ftp://h"}, "provider x: http agent: "},
	} {
		cfg := config.Default()
		cfg.Providers["x"] = tt.provider
		if _, err := newRegistry(testGuards(t, cfg), nil); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %s", tt.provider, err, tt.want)
		}
	}
	cfg := config.Default()
	cfg.Agents["a"] = config.NewAgent("nobody")
	if _, err := newRegistry(testGuards(t, cfg), nil); err == nil || err.Error() != `agent a: rung primary: unknown provider "nobody"` {
		t.Errorf("got %v", err)
	}
}
