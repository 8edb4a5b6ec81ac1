package config

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestPrintReturnsTheWritersError(t *testing.T) {
	if err := Default().Print(fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}

// FuzzLoad proves of any file and variable: no panic; an error says something;
// what is accepted prints to a text that the schema accepts and that loads to an
// equal configuration.
func FuzzLoad(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text), "")
	for _, seed := range []string{
		"", "a: &a [*a]\n", "agents: &a\n  <<: *a\n", "nats:\n\treplicas: 1\n", "---\n---\n", "{}\n", "worker: {agents: [echo]}\n",
		"agents:\n  a: &a {slots: 2, timeout: 1h0m1ns, ladder: [{rung: primary, provider: echo}, {rung: static, text: \"\\n \\tx: #\\u2028\\e\"}]}\n  b: {<<: *a}\n",
		"providers:\n  p: {kind: http, url: \"https://u:p@h:1/?a=b#c\", headers: {X-A: \" b\", \"null\": \"~\"}, max_response: 0x10}\n",
		"gateway: {rate_limit: {requests_per_second: 1e-7, burst: 0b11}, max_body: 1_024, keys_file: !!str 5}\n",
		"policies:\n  p: {deadline: 9s, timeout: 3s, retry: {jitter: false, retry_on: [timeout], dont_retry_on: [canceled]}, retry_budget: {ratio: 1e-3},\n" +
			"    breaker: {failure_rate: 0.5, slow_call: 1s}, rate_limit: {per_second: 0.1, shared: true}, bulkhead: {name: io, slots: 4, within: [cpu], max_waiting: 2, max_wait: 1s}}\n" +
			"  q: {bulkhead: {name: cpu, adaptive: {ceiling: 9}}, breaker: {}, retry: {}}\nproviders: {p: {kind: echo, policy: q}, r: {kind: http, url: \"http://h\", policy: none}}\n",
		"monitor: {interval: 1s, webhook: {url: \"https://h\", headers: {}}, thresholds: {lag: {degraded: 0}, error_rate: {degraded: 1e-3}}, agents: {echo: {lag: {degraded: 5}}, probe: {}}}\n",
		"monitor: {agents: {}, webhook: {headers: {X-A: b}}}\n",
		"? [a]\n: b\n", "nats: {url: \"a\\0b\"}\n", "gateway: {http: \"[::1%eth0]:1\"}\n",
	} {
		f.Add(seed, "30")
	}
	schema := compiled(f)
	f.Fuzz(func(t *testing.T, text, value string) {
		env := func(name string) (string, bool) {
			return value, value != "" && (name == "LLM_TIMEOUT" || name == "GENESIS_KEYS_FILE")
		}
		c, err := load("genesis.yaml", []byte(text), env, nil)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatalf("empty error for %q", text)
			}
			return
		}
		var printed, again bytes.Buffer
		if err := c.Print(&printed); err != nil {
			t.Fatalf("print %q: %v", text, err)
		}
		back, err := load("printed.yaml", printed.Bytes(), nil, nil)
		if err != nil {
			t.Fatalf("%q printed as\n%s\nwhich does not load: %v", text, printed.Bytes(), err)
		}
		if err := matches(t, schema, printed.Bytes()); err != nil {
			t.Fatalf("%q printed as\n%s\nwhich the schema refuses: %v", text, printed.Bytes(), err)
		}
		c.origins, back.origins = nil, nil
		if err := back.Print(&again); err != nil || !reflect.DeepEqual(c, back) {
			t.Fatalf("%q\ngot back %+v\nwant %+v", text, back, c)
		}
	})
}
