package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// environment is an env for Load made of NAME=value pairs.
func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

// loadText loads a file named genesis.yaml of the given content.
func loadText(text string, pairs ...string) (*Config, error) {
	return load("genesis.yaml", []byte(text), environment(pairs...), nil)
}

// writeFile writes a file of the given content and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "genesis.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rejected checks that loading text fails with exactly the wanted lines.
func rejected(t *testing.T, text string, want ...string) {
	t.Helper()
	_, err := loadText(text)
	if err == nil {
		t.Fatalf("Load accepted\n%s\nwant\n%s", text, strings.Join(want, "\n"))
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("Load of\n%s\ngot\n%s\nwant\n%s", text, got, strings.Join(want, "\n"))
	}
}
