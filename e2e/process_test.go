package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests.
const patience = 40 * time.Second

// A process is a program that runs.
type process struct {
	t    *testing.T
	name string
	env  []string
	url  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // why it ended, once done is closed

	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // holds a token when there is more text
}

// start starts a program, without variables of Genesis but those given. It ends with the test at the latest: with SIGTERM, and with
// SIGKILL when that does not help.
func start(t *testing.T, env []string, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(path), env: env, done: make(chan struct{}), more: make(chan struct{}, 1)}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "GENESIS_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	})
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-p.done:
		case <-time.After(patience):
			p.kill()
			t.Errorf("%s did not end within %s of SIGTERM", p.name, patience)
		}
		wait.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.name, p.tail())
		}
	})
	return p
}

// Write takes what the process prints.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(text)
	select {
	case p.more <- struct{}{}:
	default:
	}
	return len(text), nil
}

// listens waits until the process says where it listens, by the first group of a pattern.
func (p *process) listens(pattern string) *process {
	p.t.Helper()
	says := regexp.MustCompile(pattern)
	limit := time.After(patience)
	for {
		p.mu.Lock()
		m := says.FindStringSubmatch(p.text.String())
		p.mu.Unlock()
		if m != nil {
			p.url = "http://" + m[1]
			return p
		}
		select {
		case <-p.more:
		case <-p.done:
			p.t.Fatalf("%s ended (%v) before it said where it listens:\n%s", p.name, p.err, p.tail())
		case <-limit:
			p.t.Fatalf("%s did not say where it listens:\n%s", p.name, p.tail())
		}
	}
}

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.text.String()
	return text[max(0, len(text)-4000):]
}

// await asks again and again until there is no error, and fails with the last one.
func await(t *testing.T, what string, ask func() error) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s, not within %s: %v", what, patience, err)
		}
	}
}
