package arch

import (
	"path"
	"strings"
)

// programImportRules say how the four programs are put together.
func programImportRules() []rule {
	return []rule{
		{
			promise: "no program imports another, except that `genesis up` (internal/ctl/up*) assembles them",
			because: "each runs, scales and fails alone, and they meet on the bus; " +
				"`up` is all of them in one process, so its files, and no others of the CLI, may start them",
			check: imports(mayImportProgram),
			breaks: []sources{
				{"internal/gateway/a.go": importing("genesis/internal/worker")},
				{"internal/worker/a_test.go": importing("genesis/internal/gateway/problem")},
				{"internal/monitor/a.go": importing("genesis/internal/ctl")},
				{"internal/ctl/keys.go": importing("genesis/internal/gateway")},
				{"internal/ctl/upload/a.go": importing("genesis/internal/gateway")},
				{"internal/config/a.go": importing("genesis/internal/worker")},
				{"cmd/gateway/main.go": importing("genesis/internal/worker")},
			},
			keeps: []sources{
				{"internal/ctl/up.go": importing("genesis/internal/gateway")},
				{"internal/ctl/up_test.go": importing("genesis/internal/worker")},
				{"internal/ctl/up/a.go": importing("genesis/internal/monitor")},
				{"internal/gateway/waiters/a.go": importing("genesis/internal/gateway/problem")},
				{"internal/crash/a_test.go": importing("genesis/internal/worker")},
				{"examples/hello/main.go": importing("genesis/internal/worker")},
				{"cmd/genesis/main.go": importing("genesis/internal/ctl")},
			},
		},
		{
			promise: "cmd/x imports only internal/x (cmd/genesis: internal/ctl)",
			because: "main knows signals and the exit code; what the program does is tested where it is written",
			check: imports(func(f file, imported string) bool {
				if !f.in("cmd") || std(imported) || testTool(f, imported) {
					return true
				}
				return under(imported, "genesis/internal/"+programOf(f)) || f.isTest() && under(imported, "genesis/pkg")
			}),
			breaks: []sources{
				{"cmd/worker/main.go": importing("genesis/pkg/bus")},
				{"cmd/worker/main.go": importing("genesis/internal/config")},
				{"cmd/genesis/main.go": importing("github.com/spf13/cobra")},
			},
			keeps: []sources{
				{"cmd/worker/main.go": importing("genesis/internal/worker")},
				{"cmd/genesis/main.go": importing("genesis/internal/ctl")},
				{"cmd/genesis/main_test.go": importing("github.com/rogpeppe/go-internal/testscript")},
			},
		},
		{
			promise: "only internal/embedded and pkg/bus/bustest import nats-server",
			because: "a program that talks to a broker must not carry one; tests get theirs from bustest",
			check: imports(func(f file, imported string) bool {
				return !under(imported, natsServer) || f.in("internal/embedded", "pkg/bus/bustest")
			}),
			breaks: []sources{
				{"internal/ctl/up.go": importing(natsServer + "/server")},
				{"internal/gateway/a_test.go": importing(natsServer + "/server")},
			},
			keeps: []sources{{"internal/embedded/a.go": importing(natsServer + "/server")}},
		},
		{
			promise: "only tests and packages named *test import bustest",
			because: "a test helper in a production binary is code nobody meant to ship",
			check: imports(func(f file, imported string) bool {
				return !under(imported, "genesis/pkg/bus/bustest") || f.isTest() || strings.HasSuffix(f.dir(), "test")
			}),
			breaks: []sources{{"internal/worker/a.go": importing("genesis/pkg/bus/bustest")}},
			keeps: []sources{
				{"internal/worker/a_test.go": importing("genesis/pkg/bus/bustest")},
				{"internal/worker/workertest/a.go": importing("genesis/pkg/bus/bustest")},
			},
		},
	}
}

func mayImportProgram(f file, imported string) bool {
	for _, program := range []string{"gateway", "worker", "monitor", "ctl"} {
		if under(imported, "genesis/internal/"+program) {
			return f.in("internal/"+program) || mayAssemble(f, program) || isOutsideTest(f)
		}
	}
	return true
}

func mayAssemble(f file, program string) bool {
	switch {
	case f.in("cmd"):
		return programOf(f) == program
	case f.in("internal/ctl/up"):
		return true
	case f.in("internal/ctl"):
		return f.dir() == "internal/ctl" && strings.HasPrefix(path.Base(f.path), "up")
	case f.in("examples"):
		return program == "worker"
	}
	return false
}

// isOutsideTest tells of a test that looks at programs from outside, such as
// internal/crash, which starts them and kills them.
func isOutsideTest(f file) bool {
	return f.isTest() && !f.in("pkg", "cmd", "internal/gateway", "internal/worker", "internal/monitor", "internal/ctl")
}

// programOf names the directory below internal that a file of cmd belongs to.
func programOf(f file) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(f.dir(), "cmd/"), "/")
	if name == "genesis" {
		return "ctl"
	}
	return name
}
