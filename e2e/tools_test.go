package e2e

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// tool finds a program on the path. Where others than Debian install it under another
// name, that is tried too.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("there is no %s: on Debian `apt-get install --no-install-recommends prometheus prometheus-alertmanager`",
		strings.Join(names, " or "))
	return ""
}

// run runs a command to its end and returns what it prints, and whether it succeeded.
func run(t *testing.T, name string, args ...string) (output string, ok bool) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool(t, name), args...).CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return string(out), err == nil
}
