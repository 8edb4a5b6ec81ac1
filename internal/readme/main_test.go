package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"genesis/internal/ctl"
	"genesis/internal/gateway"
	"genesis/internal/monitor"
	"genesis/internal/worker"
)

// TestMain makes this test binary every program that the documents call, under the
// name that it is called by.
func TestMain(m *testing.M) {
	switch name := filepath.Base(os.Args[0]); name {
	case "genesis":
		os.Exit(ctl.Main())
	case "worker":
		os.Exit(worker.Main())
	case "gateway":
		os.Exit(gateway.Main())
	case "monitor":
		os.Exit(monitor.Main())
	case "nats", "curl":
		if err := standIn(name, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
