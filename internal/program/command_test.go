package program

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"genesis/pkg/bus/bustest"
)

// execution is what a run of a command showed.
type execution struct {
	code           int
	stdout, stderr string
	program        *Program // nil: Run was not reached
}

// execute runs a command that has one flag of its own, with variables NAME=value.
func execute(ctx context.Context, run func(context.Context, *Program) error, variables []string, args ...string) execution {
	var e execution
	c := Command{
		Name: "worker", Summary: "Executes requests.", HTTP: "worker.http",
		Flags: []Flag{{"agents", "worker.agents", "A,B", "agents to serve"}},
		Run: func(ctx context.Context, p *Program) error {
			e.program = p
			if run == nil {
				return nil
			}
			return run(ctx, p)
		},
	}
	env := func(name string) (string, bool) {
		for _, v := range variables {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	var stdout, stderr bytes.Buffer
	e.code = c.Execute(ctx, args, env, &stdout, &stderr)
	e.stdout, e.stderr = stdout.String(), stderr.String()
	return e
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "genesis.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMistakesEndWithAClearLineAndTheRightCode(t *testing.T) {
	bad := writeFile(t, "unvironment: development\nworker: {https: x}\n")
	for _, tt := range []struct {
		name      string
		args, env []string
		code      int
		want      string // a line of stderr; "..." at its end is anything
	}{
		{"an unknown flag is usage", []string{"--nat", "x"}, nil, ExitUsage, "worker: flag provided but not defined: -nat"},
		{"a flag without its value is usage", []string{"--http"}, nil, ExitUsage, "worker: flag needs an argument: -http"},
		{"an argument is usage", []string{"up"}, nil, ExitUsage, `worker: it takes flags only, got "up"`},
		{"a flag's bad value is usage", []string{"--http", "nowhere"}, nil, ExitUsage, `worker: --http: worker.http: "nowhere" is not an address...`},
		{"an unknown agent is named, with a near one", []string{"--agents", "eco"}, nil, ExitUsage, `worker: --agents: worker.agents[0]: unknown agent "eco"; did you mean "echo"?`},
		{"a bad level of the log is usage", nil, []string{"GENESIS_LOG_LEVEL=loud"}, ExitUsage, `worker: GENESIS_LOG_LEVEL is "loud": use debug, info, warn or error`},
		{"a bad variable is a failure", nil, []string{"GENESIS_REPLICAS=2"}, ExitFailed, "worker: GENESIS_REPLICAS: nats.replicas: must be 1, 3 or 5, got 2"},
		{"each problem of the file has its line", []string{"--config", bad}, nil, ExitFailed, "worker: " + bad + ":2: ..."},
		{"a file that is not there", []string{"--config", "/nonexistent/g.yaml"}, nil, ExitFailed, "worker: read configuration: ..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := execute(t.Context(), nil, tt.env, tt.args...)
			if e.code != tt.code || e.program != nil || e.stdout != "" {
				t.Errorf("%q: got code %d, run %v, stdout %q; want code %d and nothing run", tt.args, e.code, e.program != nil, e.stdout, tt.code)
			}
			if !hasLine(e.stderr, tt.want) {
				t.Errorf("%q: got\n%swant a line\n%s", tt.args, e.stderr, tt.want)
			}
			if got, want := strings.Contains(e.stderr, "worker --help"), tt.code == ExitUsage; got != want {
				t.Errorf("%q: a word on --help: got %v, want %v:\n%s", tt.args, got, want, e.stderr)
			}
		})
	}
}

func hasLine(text, want string) bool {
	start, open := strings.CutSuffix(want, "...")
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == want || open && strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}

func TestHelpNamesEveryFlag(t *testing.T) {
	e := execute(t.Context(), nil, nil, "--help")
	for _, want := range []string{"Executes requests.", "--config FILE", "--nats URL", "--http ADDR", "--agents A,B", "--version"} {
		if !strings.Contains(e.stdout, want) {
			t.Errorf("--help: got\n%swant it to contain %q", e.stdout, want)
		}
	}
	if e.code != ExitDone || e.stderr != "" {
		t.Errorf("--help: got code %d, stderr %q", e.code, e.stderr)
	}
	if e := execute(t.Context(), nil, nil, "--version"); e.code != ExitDone || e.stdout != "worker "+Version()+"\n" {
		t.Errorf("--version: got code %d, %q", e.code, e.stdout)
	}
}

func TestAProgramRunsWithAllReady(t *testing.T) {
	s := bustest.Start(t)
	file := writeFile(t, "worker: {http: \"127.0.0.1:1\", drain_timeout: 1s}\nnats: {url: \"nats://127.0.0.1:1\"}\n")
	env := []string{"GENESIS_WORKER_HTTP=127.0.0.1:2", "GENESIS_DRAIN_TIMEOUT=3s", "GENESIS_OPERATOR_TOKEN=secret", "GENESIS_WORKER_NAME=w7"}
	connected := false
	e := execute(t.Context(), func(_ context.Context, p *Program) error {
		connected = p.Bus.Connected()
		p.Log.Info("at work")
		return nil
	}, env, "--config", file, "--nats", s.URL(), "--http", "127.0.0.1:0", "--agents", "probe")
	if e.code != ExitDone || e.program == nil || !connected {
		t.Fatalf("got code %d, run %v, connected %v, stderr %s", e.code, e.program != nil, connected, e.stderr)
	}
	p := e.program
	if got := p.Config.Worker.HTTP; got != "127.0.0.1:0" {
		t.Errorf("flags are over the environment: worker.http: got %s", got)
	}
	if got := p.Config.Worker.DrainTimeout.Std(); got != 3*time.Second {
		t.Errorf("the environment is over the file: drain_timeout: got %s", got)
	}
	if got := p.Config.Served(); len(got) != 1 || got[0] != "probe" {
		t.Errorf("served: got %q, want probe", got)
	}
	if p.OperatorToken != "secret" || p.WorkerName != "w7" || p.Version != Version() {
		t.Errorf("got token %q, worker %q, version %q", p.OperatorToken, p.WorkerName, p.Version)
	}
	if p.Bus.Connected() {
		t.Error("the bus is still connected after the end")
	}
	if !strings.Contains(e.stderr, `"msg":"at work","program":"worker"`) {
		t.Errorf("log: got %s, want JSON with the program's name", e.stderr)
	}
}

func TestAFailureOfTheProgramIsToldOnce(t *testing.T) {
	s := bustest.Start(t)
	e := execute(t.Context(), func(context.Context, *Program) error { return errors.New("the sky fell") }, nil, "--nats", s.URL())
	if e.code != ExitFailed || e.stderr != "worker: the sky fell\n" {
		t.Errorf("got code %d, stderr %q", e.code, e.stderr)
	}
}

func TestASignalWhileWaitingForTheBrokerIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("terminated"))
	e := execute(ctx, nil, nil, "--nats", "nats://127.0.0.1:1")
	if e.code != ExitDone || e.program != nil || !strings.Contains(e.stderr, "stopped before it was ready") {
		t.Errorf("got code %d, run %v, stderr %s", e.code, e.program != nil, e.stderr)
	}
}

func TestASignalEndsTheContextAndIsItsCause(t *testing.T) {
	ctx, stop := UntilSignal(t.Context())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the context did not end within 10 s of SIGTERM")
	}
	if got := context.Cause(ctx); got == nil || !strings.Contains(got.Error(), "terminated") {
		t.Errorf("cause: got %v, want the signal", got)
	}
}
