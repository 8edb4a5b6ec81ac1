package ctl

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptLimit is how long a script waits for anything.
const scriptLimit = 30 * time.Second

// running is a `genesis up` of a script. One script has at most one.
type running struct {
	cmd  *exec.Cmd
	out  *lockedBuffer
	err  *lockedBuffer
	done chan error
	wg   sync.WaitGroup
}

type runningKey struct{}

// up [args...] starts `genesis up` on free ports with its data in $WORK/data, waits
// until it says that it is up, and sets GENESIS_NATS_URL, GATEWAY, WORKER, MONITOR and TOKEN.
func scriptUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use exec genesis up")
	}
	all := append([]string{"up", "--http", "127.0.0.1:0", "--worker", "127.0.0.1:0", "--monitor", "127.0.0.1:0", "--data", ts.MkAbs("data")}, args...)
	if ts.Getenv("UP_NATS_URL") == "" {
		all = append(all, "--nats", "127.0.0.1:0")
	}
	program, err := exec.LookPath("genesis")
	ts.Check(err)
	r := &running{cmd: exec.CommandContext(scriptRun(ts), program, all...), out: &lockedBuffer{}, err: &lockedBuffer{}, done: make(chan error, 1)}
	r.cmd.Dir = ts.MkAbs(".")
	r.cmd.Env = append(scriptEnv(ts, "PATH", "HOME", "XDG_CONFIG_HOME", "GENESIS_OPERATOR_TOKEN", "GENESIS_LOG_LEVEL", "GORACE"), "GENESIS_NATS_URL="+ts.Getenv("UP_NATS_URL"))
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.err
	ts.Check(r.cmd.Start())
	r.wg.Go(func() { r.done <- r.cmd.Wait() })
	ts.Defer(func() {
		_ = r.cmd.Process.Kill()
		r.wg.Wait()
	})
	limit := time.After(scriptLimit)
	for !strings.Contains(r.out.String(), "Ctrl-C drains and stops.") {
		select {
		case err := <-r.done:
			ts.Fatalf("genesis up ended: %v\n%s%s", err, r.out.String(), r.err.String())
		case <-limit:
			ts.Fatalf("genesis up is not up within %s\n%s%s", scriptLimit, r.out.String(), r.err.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
	for name, pattern := range map[string]string{
		"GENESIS_NATS_URL": `NATS +(\S+)`, "GATEWAY": `gateway +(\S+)`, "WORKER": `worker +(\S+)`, "MONITOR": `monitor +(\S+)`, "TOKEN": `operator token +(\S+)`,
	} {
		found := regexp.MustCompile(pattern).FindStringSubmatch(r.out.String())
		if found == nil {
			ts.Fatalf("genesis up does not print %s:\n%s", pattern, r.out.String())
		}
		ts.Setenv(name, found[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs("up.out"), []byte(r.out.String()), 0o600))
	setRunning(ts, r)
}

// down interrupts `genesis up`, which must drain and succeed.
func scriptDown(ts *testscript.TestScript, _ bool, _ []string) {
	r := getRunning(ts)
	ts.Check(r.cmd.Process.Signal(syscall.SIGINT))
	select {
	case err := <-r.done:
		if err != nil || !strings.Contains(r.err.String(), "drained") {
			ts.Fatalf("genesis up ended: %v\n%s", err, r.err.String())
		}
	case <-time.After(scriptLimit):
		ts.Fatalf("genesis up does not end within %s\n%s", scriptLimit, r.err.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("up.err"), []byte(r.err.String()), 0o600))
}

// kill9 ends `genesis up` as a power cut would.
func scriptKill(ts *testscript.TestScript, _ bool, _ []string) {
	r := getRunning(ts)
	ts.Check(r.cmd.Process.Kill())
	if err := <-r.done; err == nil {
		ts.Fatalf("genesis up ended well, though it was killed")
	}
}

// until PATTERN COMMAND... runs a command until its stdout matches.
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	limit := time.After(scriptLimit)
	for {
		if err := ts.Exec(args[1], args[2:]...); err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-limit:
			ts.Fatalf("%q does not come within %s; the last was\n%s%s", args[0], scriptLimit, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// usage ARGS... calls genesis in a way that cannot be meant: exit code 2, one line on
// stderr, nothing on stdout.
func scriptUsage(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("genesis", args...)
	exit, failed := errors.AsType[*exec.ExitError](err)
	if neg || !failed || exit.ExitCode() != 2 {
		ts.Fatalf("genesis %q: got %v, want exit code 2", args, err)
	}
	if out, lines := ts.ReadFile("stdout"), strings.Count(ts.ReadFile("stderr"), "\n"); out != "" || lines != 1 {
		ts.Fatalf("genesis %q: got %d lines on stderr, and on stdout %q; want one line and nothing", args, lines, out)
	}
}

func scriptEnv(ts *testscript.TestScript, names ...string) []string {
	var env []string
	for _, name := range names {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func setRunning(ts *testscript.TestScript, r *running) { *ts.Value(runningKey{}).(**running) = r }

func getRunning(ts *testscript.TestScript) *running {
	r := *ts.Value(runningKey{}).(**running)
	if r == nil {
		ts.Fatalf("nothing is up")
	}
	return r
}

// lockedBuffer collects what a process prints.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
