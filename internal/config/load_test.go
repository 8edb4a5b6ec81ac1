package config

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestWithoutAFileTheBuiltInDefaultServes(t *testing.T) {
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.AgentNames(), []string{"assistant", "echo", "probe"}; !slices.Equal(got, want) {
		t.Errorf("agents: got %v, want %v", got, want)
	}
	if got, want := c.Agents["assistant"].Ladder, []Rung{{Rung: RungPrimary, Provider: KindSimulated}}; !slices.Equal(got, want) {
		t.Errorf("ladder of assistant: got %v, want %v", got, want)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("Load without a file: got %+v, want Default() %+v", c, Default())
	}
}

func TestAnEmptyFileMeansDefaults(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing yet\n", "---\n", "{}\n", "~\n", "\ufeff", "agents:\nproviders:\nnats:\n"} {
		c, err := loadText(text)
		if err != nil {
			t.Errorf("Load of %q: got %v, want the default", text, err)
			continue
		}
		want := Default()
		c.origins = want.origins
		if !reflect.DeepEqual(c, want) {
			t.Errorf("Load of %q: got %+v, want the default %+v", text, c, want)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		path := t.TempDir() + "/none.yaml"
		_, err := Load(path, nil)
		want := "read configuration: open " + path + ": no such file or directory; name an existing file, or none to use the built-in default"
		if err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want %s, wrapping fs.ErrNotExist", err, want)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		_, err := Load(dir, nil)
		if want := dir + ": is a directory; name the file in it"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("over 1 MiB", func(t *testing.T) {
		path := writeFile(t, strings.Repeat("#\n", int(maxFile)/2)+"#")
		_, err := Load(path, nil)
		if want := path + ": is larger than 1MiB; is it the right file?"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("exactly 1 MiB is read", func(t *testing.T) {
		if _, err := Load(writeFile(t, strings.Repeat("#\n", int(maxFile)/2)), nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("an endless device", func(t *testing.T) {
		if _, err := Load(os.DevNull, nil); err != nil {
			t.Errorf("%s: got %v, want the default", os.DevNull, err)
		}
		if _, err := Load("/dev/zero", nil); err == nil {
			t.Error("/dev/zero: got no error")
		}
	})
}

func TestYAMLSyntaxErrors(t *testing.T) {
	for _, tt := range []struct{ promise, text, want string }{
		{"a tab in the indentation is called so", "nats:\n\treplicas: 3\n", "genesis.yaml:2: YAML syntax: a tab in the indentation; use spaces"},
		{"a tab after spaces too", "nats:\n  replicas: 3\n  \turl: x\n", "genesis.yaml:3: YAML syntax: a tab in the indentation; use spaces"},
		{"an open bracket, where it opens", "worker:\n  agents: [a\nnats: {}\ngateway: {}\n", "genesis.yaml:2: YAML syntax: did not find expected ',' or ']'"},
		{"an open quote, where it opens", "nats: {}\nenvironment: \"a\nworker: {}\n", "genesis.yaml:2: YAML syntax: found unexpected end of stream"},
		{"a wrong indentation, where it is", "agents:\n  one:\n    slots: 1\n   timeout: 1s\nnats: {}\n", "genesis.yaml:4: YAML syntax: did not find expected key"},
		{"a mapping in a list", "worker:\n  agents:\n    - a\n    b: 1\nnats: {}\n", "genesis.yaml:4: YAML syntax: did not find expected '-' indicator"},
		{"a key without a colon", "environment: staging\nnats\nworker: {}\n", "genesis.yaml:2: YAML syntax: could not find expected ':'"},
		{"two colons on the first line", "nats: b: c\n", "genesis.yaml:1: YAML syntax: mapping values are not allowed in this context"},
		{"an unknown anchor", "worker: {}\nnats: *x\n", "genesis.yaml:2: YAML syntax: unknown anchor 'x' referenced"},
		{"a control character", "worker: {}\nnats: \x01\n", "genesis.yaml:2: YAML syntax: control characters are not allowed"},
		{"no UTF-8", "worker: {}\nnats: \xff\n", "genesis.yaml:2: YAML syntax: invalid leading UTF-8 octet"},
		{"two documents", "nats: {}\n---\nnats: {}\n", "genesis.yaml:2: a second document starts here; a configuration is one document"},
		{"an empty second document", "nats: {}\n---\n", "genesis.yaml:2: a second document starts here; a configuration is one document"},
	} {
		t.Run(tt.promise, func(t *testing.T) { rejected(t, tt.text, tt.want) })
	}
}

func TestAliasBombsEndInAnError(t *testing.T) {
	var rungs, agents, nested strings.Builder
	for range 5000 {
		rungs.WriteString("      - *rung\n")
	}
	for _, c := range "bcdefghij" {
		for _, d := range "abcdefghijklmnopqrstuvwxyz" {
			agents.WriteString("  " + string(c) + string(d) + ": *first\n")
		}
	}
	for i, c := range "bcdefghijkl" {
		before := string("abcdefghijk"[i])
		nested.WriteString("  " + string(c) + ": &" + string(c) + "\n    <<: [" + strings.Repeat("*"+before+", ", 30) + "*" + before + "]\n")
	}
	for promise, text := range map[string]string{
		"a long ladder in many agents": "agents:\n  a: &first\n    ladder:\n      - &rung {rung: primary, provider: echo}\n" + rungs.String() + agents.String(),
		"merges of merges":             "agents:\n  a: &a {slots: 1}\n" + nested.String(),
		"a mapping merged into itself": "agents: &a\n  <<: *a\n",
	} {
		t.Run(promise, func(t *testing.T) {
			rejected(t, text, "genesis.yaml: holds, or its aliases expand to, more than 100000 values")
		})
	}
}

func TestAReportIsBounded(t *testing.T) {
	var text strings.Builder
	for range 300 {
		text.WriteString("- x\n")
	}
	_, err := loadText("worker:\n  agents:\n" + strings.ReplaceAll(text.String(), "- x", "  - x"))
	if err == nil {
		t.Fatal("300 unknown agents: got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxErrors+1 || lines[maxErrors] != "and 200 more" {
		t.Errorf("300 errors: got %d lines ending %q, want %d ending \"and 200 more\"", len(lines), lines[len(lines)-1], maxErrors+1)
	}
}

func TestTheFilesAgentsReplaceTheBuiltInOnes(t *testing.T) {
	c, err := loadText("agents:\n  mine: {ladder: [{rung: primary, provider: simulated}]}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.AgentNames(), []string{"mine"}; !slices.Equal(got, want) {
		t.Errorf("agents: got %v, want %v", got, want)
	}
}

func TestBuiltInProvidersAreKnownUnlessRedefined(t *testing.T) {
	c, err := loadText("providers:\n  echo: {kind: http, url: \"http://localhost:1\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Providers["echo"]; got.Kind != KindHTTP || got.MaxResponse != MiB {
		t.Errorf("providers.echo: got %+v, want the file's, with max_response 1MiB", got)
	}
	if got := c.Providers["probe"]; got.Kind != KindProbe {
		t.Errorf("providers.probe: got %+v, want the built-in one", got)
	}
	if got := len(c.Agents); got != 3 {
		t.Errorf("agents beside a providers section: got %d, want the 3 built-in ones", got)
	}
}

func TestAnAgentIsResolved(t *testing.T) {
	c, err := loadText("defaults: {timeout: 12s}\nagents:\n  a:\n    ladder: [{rung: primary, provider: echo}]\n" +
		"  b:\n    timeout: 1m30s\n    delivery: {max_attempts: 2}\n    ladder: [{rung: primary, provider: echo}]\n")
	if err != nil {
		t.Fatal(err)
	}
	a, b := NewAgent(KindEcho), NewAgent(KindEcho)
	a.Timeout, b.Timeout, b.Delivery.MaxAttempts = seconds(12), seconds(90), 2
	for name, want := range map[string]Agent{"a": a, "b": b} {
		if got := c.Agents[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("agents.%s: got %+v, want %+v", name, got, want)
		}
	}
}
