package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestClientsInAnotherLanguageUnderstandTheBus(t *testing.T) {
	n := newNodeClients(t)
	t.Run("they find its description valid", n.findsTheDescriptionValid)
	t.Run("they read health events", n.readHealthEvents)
}

// nodeClients are the programs of the directory node, with what they need beside them.
type nodeClients struct{ dir string }

func newNodeClients(t *testing.T) nodeClients {
	t.Helper()
	n := nodeClients{t.TempDir()}
	if err := os.CopyFS(n.dir, os.DirFS("node")); err != nil {
		t.Fatal(err)
	}
	if out, ok := run(t, "npm", "ci", "--prefix", n.dir, "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"); !ok {
		t.Fatalf("install what the clients need: npm says\n%s", out)
	}
	return n
}

func (n nodeClients) script(name string) string { return filepath.Join(n.dir, name) }

// An event is what a client printed of a CloudEvent.
type event struct {
	On      string // the subject that it came on
	ID      string
	Type    string
	Subject string
	Source  string
	Data    struct {
		State, Previous, Reason string
		Lag                     *float64
		AffectedServices        []string `json:"affected_services"`
	}
}

// events reads lines of JSON; others are none.
func events(text string) []event {
	var all []event
	for line := range strings.Lines(text) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Subject == "agent/probe" {
			all = append(all, e)
		}
	}
	return all
}

// An agent gets more than it can do, and works it off: a subscriber that was there is told
// of both, and one that comes late reads how it is.
func (n nodeClients) readHealthEvents(t *testing.T) {
	config := filepath.Join(t.TempDir(), "genesis.yaml")
	write(t, config, `
monitor: {interval: 100ms, agents: {probe: {lag: {degraded: 2, unhealthy: 1000}}}}
agents:
  probe: {slots: 1, ladder: [{rung: primary, provider: probe}]}
`)
	const free = "127.0.0.1:0"
	up := start(t, nil, tool(t, "genesis"), "up", "--config", config, "--data", t.TempDir(), "--nats", free, "--http", free, "--worker", free, "--monitor", free).
		listens(`NATS +nats://(\S+)[^$]*Ctrl-C drains`)
	url := "nats" + strings.TrimPrefix(up.url, "http")

	subscriber := start(t, nil, tool(t, "node"), n.script("subscriber.mjs"), url)
	await(t, "the subscriber listens", func() error { return subscriber.printed("(?m)^listening$") })
	for range 4 {
		if out, ok := run(t, "genesis", "request", "probe", "--input", `{"sleep_ms":500}`, "--wait", "0", "--nats", url); !ok {
			t.Fatalf("send a request: %s", out)
		}
	}
	const degraded, recovered = "genesis.health.degraded", "genesis.health.recovered"
	await(t, "the subscriber hears that the probe recovered", func() error { return subscriber.printed(`"type":"` + recovered + `"`) })

	told := events(subscriber.tail())
	if len(told) != 2 || told[0].Type != degraded || told[1].Type != recovered {
		t.Fatalf("told: got %+v, want %s and %s", told, degraded, recovered)
	}
	for _, e := range told {
		if e.On != "genesis.health.agent.probe" || e.Source != "/genesis/monitor" || e.ID == "" || e.Data.Reason == "" || e.Data.Lag == nil {
			t.Errorf("got %+v, want an event of the monitor with its reason and figures", e)
		}
	}
	if d := told[0].Data; d.State != "degraded" || !slices.Equal(d.AffectedServices, []string{"probe"}) {
		t.Errorf("degraded: got %+v", d)
	}
	if d := told[1].Data; d.State != "healthy" || d.Previous != "degraded" {
		t.Errorf("recovered: got %+v", d)
	}

	late, ok := run(t, "node", n.script("subscriber.mjs"), url, "genesis.health.agent.probe")
	if last := events(late); !ok || len(last) != 1 || last[0].ID != told[1].ID {
		t.Errorf("a late subscriber: got %s, want event %s", late, told[1].ID)
	}
	ours, ok := run(t, "genesis", "events", "--name", "probe", "--output", "json", "--nats", url)
	if listed := events(ours); !ok || len(listed) != 2 || listed[0].ID != told[0].ID || listed[1].ID != told[1].ID {
		t.Errorf("genesis events: got %s, want the events %s and %s", ours, told[0].ID, told[1].ID)
	}
}

// printed says whether the process has printed what matches a pattern.
func (p *process) printed(pattern string) error {
	if regexp.MustCompile(pattern).MatchString(p.tail()) {
		return nil
	}
	return fmt.Errorf("it printed %q", p.tail())
}
