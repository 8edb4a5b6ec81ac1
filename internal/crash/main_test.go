//go:build faults

package crash

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"genesis/internal/embedded"
	"genesis/internal/gateway"
	"genesis/internal/monitor"
	"genesis/internal/program"
	"genesis/internal/worker"
)

// roleVariable makes this test binary one of the programs, so that the tests run and
// kill what users run, with the fault points compiled in.
const roleVariable = "GENESIS_CRASH_ROLE"

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random kills") //nolint:gochecknoglobals // a flag

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		goleak.VerifyTestMain(m)
	case "server":
		os.Exit(serve(os.Args[1], os.Args[2]))
	case "node":
		os.Exit(serveNode(os.Args[1], os.Args[2], os.Args[3], os.Args[4]))
	case "monitor":
		os.Exit(monitor.Main())
	case "worker":
		os.Exit(worker.Main())
	case "gateway":
		os.Exit(gateway.Main())
	default:
		fmt.Fprintln(os.Stderr, "unknown role", role)
		os.Exit(2)
	}
}

// serve is the broker, and nothing else.
func serve(dir, addr string) int {
	ctx, stop := program.UntilSignal(context.Background())
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := embedded.Start(ctx, embedded.Options{Dir: dir, Addr: addr, Logger: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.Addr())
	<-ctx.Done()
	s.Stop()
	return 0
}

// random is seeded, and the seed is printed, so that a failure can be repeated with
// `go test -tags faults ./internal/crash -seed N`.
func random(t *testing.T) *rand.Rand {
	t.Logf("seed %d", *seed)
	return rand.New(rand.NewPCG(*seed, 0))
}
