//go:build faults

package crash

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests.
const patience = 60 * time.Second

// process is one of the programs, running.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *lines
	done chan struct{}
	err  error
}

// lines collects what a process prints.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *lines) find(substring string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := bufio.NewScanner(bytes.NewReader(l.text.Bytes()))
	for s.Scan() {
		if strings.Contains(s.Text(), substring) {
			return s.Text(), true
		}
	}
	return "", false
}

// start runs this test binary as one of the programs.
func start(t *testing.T, role string, env []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: role, out: &lines{more: make(chan struct{}, 1)}, done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), self, args...)
	p.cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start the %s: %v", role, err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	})
	t.Cleanup(func() {
		p.kill()
		wait.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", role, p.tail())
		}
	})
	return p
}

// awaitLine waits for a line that contains substring.
func (p *process) awaitLine(substring string) string {
	p.t.Helper()
	limit := time.After(patience)
	for {
		if line, ok := p.out.find(substring); ok {
			return line
		}
		select {
		case <-p.out.more:
		case <-p.done:
			if line, ok := p.out.find(substring); ok {
				return line
			}
			p.t.Fatalf("the %s ended (%v) before it printed %q:\n%s", p.name, p.err, substring, p.tail())
		case <-limit:
			p.t.Fatalf("the %s did not print %q:\n%s", p.name, substring, p.tail())
		}
	}
}

// kill is kill -9.
func (p *process) kill() {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// awaitKilled waits until the process has killed itself at a fault point.
func (p *process) awaitKilled() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("the %s did not reach its fault point:\n%s", p.name, p.tail())
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		p.t.Fatalf("the %s ended with %v, want killed at its fault point:\n%s", p.name, p.err, p.tail())
	}
}

// terminate is SIGTERM, and waits for the clean end.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("terminate the %s: %v", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("the %s does not end after SIGTERM:\n%s", p.name, p.tail())
	}
	if p.err != nil {
		p.t.Fatalf("the %s ended with %v after SIGTERM:\n%s", p.name, p.err, p.tail())
	}
}

func (p *process) tail() string {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	text := p.out.text.String()
	return text[max(0, len(text)-6000):]
}

// configuration writes the file that all programs of these tests use: little patience,
// so that a redelivery comes soon.
func configuration(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "genesis.yaml")
	const text = `
providers:
  probe: {kind: probe}
  echo: {kind: echo}
agents:
  probe:
    slots: 8
    ack_wait: 1s
    delivery: {max_attempts: 2, initial_delay: 20ms, max_delay: 1s, jitter: false}
    ladder: [{rung: primary, provider: probe}]
  echo:
    slots: 8
    ack_wait: 1s
    ladder: [{rung: primary, provider: echo}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
