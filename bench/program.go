package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A program is a built command of Genesis in a process of its own.
type program struct {
	name string
	url  string
	cmd  *exec.Cmd
}

// A watch looks for the log line that names the address; it swallows all others.
type watch struct {
	text []byte // what came before that line
	url  chan string
	done bool
}

// Write implements [io.Writer].
func (w *watch) Write(p []byte) (int, error) {
	if w.done {
		return len(p), nil
	}
	w.text = append(w.text, p...)
	for line := range bytes.Lines(w.text) {
		var said struct {
			URL string `json:"url"`
		}
		if json.Unmarshal(line, &said) == nil && strings.HasPrefix(said.URL, "http://") {
			w.done = true
			w.url <- said.URL
			break
		}
	}
	return len(p), nil
}

// buildPrograms builds the gateway and the worker into a directory. It asks the go
// command where their module is, so it works in the bench's own directory only.
func buildPrograms(ctx context.Context, dir string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "genesis").Output()
	if err != nil {
		return fmt.Errorf("find the module genesis: run the bench in its own directory: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./cmd/gateway", "./cmd/worker")
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// startPatience is how long a program may take until it names its address.
const startPatience = 20 * time.Second

// startProgram starts a program on a free port and waits for the log line that names it.
func startProgram(ctx context.Context, dir, name, nats string) (*program, error) {
	p := &program{name: name, cmd: exec.CommandContext(ctx, filepath.Join(dir, name), "--nats", nats, "--http", "127.0.0.1:0")}
	p.cmd.Dir = dir // away from any genesis.yaml
	w := &watch{url: make(chan string, 1)}
	p.cmd.Stderr = w
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	select {
	case p.url = <-w.url:
		return p, nil
	case <-time.After(startPatience):
		err := p.stop()
		return nil, errors.Join(fmt.Errorf("start %s: it named no address within %s: %s", name, startPatience, w.text), err)
	}
}

// stop ends the program as an operator does, and waits for it.
func (p *program) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// rss is the memory that the process holds now, in MiB; 0 where /proc does not tell.
func (p *program) rss() float64 { return p.status("VmRSS:") }

// status reads a figure in KiB from /proc and returns MiB.
func (p *program) status(key string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			kib, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return 0
			}
			return kib / 1024
		}
	}
	return 0
}

// allocations reads from the program's own metrics how often it has allocated.
func (p *program) allocations(ctx context.Context) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s/metrics does not tell go_memstats_mallocs_total", p.url)
}
