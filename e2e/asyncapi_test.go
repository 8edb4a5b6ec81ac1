package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The parser of the AsyncAPI initiative finds no fault with docs/asyncapi.yaml, and does
// with one whose references lead nowhere.
func (n nodeClients) findsTheDescriptionValid(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text, want string
		valid      bool
	}{
		{string(text), "AsyncAPI 3.0.0: ", true},
		{strings.Replace(string(text), "'#/components/messages/hint'", "'#/components/messages/none'", 1), "'#/components/messages/none' does not exist", false},
	} {
		file := filepath.Join(t.TempDir(), "asyncapi.yaml")
		write(t, file, tt.text)
		out, ok := run(t, "node", n.script("validate.mjs"), file)
		if ok != tt.valid || !strings.Contains(out, tt.want) {
			t.Errorf("got valid %t, want %t and %q:\n%s", ok, tt.valid, tt.want, out)
		}
	}
}
