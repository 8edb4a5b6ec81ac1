package readme

import (
	"bufio"
	"context"
	"fmt"
	"io"
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

// shell is the reader's terminal: one shell for all commands, with the programs of
// this project on its path.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	in      io.WriteCloser
	out     *bufio.Reader
	http    string
	nats    string
	monitor string
}

const (
	documentedHTTP   = "127.0.0.1:8080"
	documentedWorker = "127.0.0.1:8082"
	documentedNATS   = "127.0.0.1:4222"
	documentedWatch  = "127.0.0.1:8081"
	marker           = "=== done ==="
)

func newShell(t *testing.T) *shell {
	t.Helper()
	sh := &shell{t: t, dir: t.TempDir()}
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"genesis", "worker", "gateway"}
	path := bin + ":" + os.Getenv("PATH")
	if os.Getenv("GENESIS_TEST_TOOLS") == "real" {
		built, err := filepath.Abs(filepath.Join("..", "..", "bin"))
		if err != nil {
			t.Fatal(err)
		}
		path = bin + ":" + built + ":" + os.Getenv("PATH")
	} else {
		names = append(names, "nats", "curl")
	}
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	sh.env = append(os.Environ(), "PATH="+path, "XDG_CONFIG_HOME="+sh.dir, "GENESIS_OPERATOR_TOKEN=")
	return sh
}

func (sh *shell) write(name, text string) {
	sh.t.Helper()
	if err := os.WriteFile(filepath.Join(sh.dir, name), []byte(text), 0o600); err != nil {
		sh.t.Fatal(err)
	}
}

// up is `make up` on free ports. It returns what it prints, with the ports of the
// documents.
func (sh *shell) up() string {
	sh.t.Helper()
	cmd := sh.start("genesis", "up", "--http", "127.0.0.1:0", "--worker", "127.0.0.1:0", "--monitor", "127.0.0.1:0", "--nats", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		sh.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		sh.t.Fatal(err)
	}
	stopped := false
	sh.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil && !stopped {
			sh.t.Errorf("genesis up ended with %v", err)
		}
	})
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&text, lines.Text())
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			break
		}
	}
	printed := text.String()
	sh.http = sh.address(printed, `gateway +http://(\S+)`)
	sh.nats = sh.address(printed, `NATS +nats://(\S+)`)
	sh.monitor = sh.address(printed, `monitor +http://(\S+)`)
	worker := sh.address(printed, `worker +http://(\S+)`)
	sh.env = append(sh.env, "NATS_URL=nats://"+sh.nats, "GENESIS_NATS_URL=nats://"+sh.nats)
	sh.open()
	return strings.NewReplacer(sh.http, documentedHTTP, sh.nats, documentedNATS, sh.monitor, documentedWatch, worker, documentedWorker).Replace(printed)
}

func (sh *shell) address(text, pattern string) string {
	sh.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		sh.t.Fatalf("`make up` does not print %s:\n%s", pattern, text)
	}
	return m[1]
}

func (sh *shell) start(name string, args ...string) *exec.Cmd {
	path := name
	for _, e := range sh.env {
		if dirs, ok := strings.CutPrefix(e, "PATH="); ok {
			path = filepath.Join(strings.SplitN(dirs, ":", 2)[0], name)
		}
	}
	if name == "sh" {
		path = "/bin/sh"
	}
	cmd := exec.CommandContext(context.WithoutCancel(sh.t.Context()), path, args...)
	cmd.Dir, cmd.Env = sh.dir, sh.env
	return cmd
}

// open starts the shell.
func (sh *shell) open() {
	sh.t.Helper()
	cmd := sh.start("sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		sh.t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		sh.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		sh.t.Fatal(err)
	}
	_ = w.Close() // the shell has it
	sh.in, sh.out = in, bufio.NewReader(r)
	sh.t.Cleanup(func() {
		fmt.Fprintln(in, "kill $(jobs -p) 2>/dev/null")
		_ = in.Close()
		_ = cmd.Wait() // its code is that of the last command
		_ = r.Close()
	})
}

// command types a command and returns what it prints.
func (sh *shell) command(text string) string {
	sh.t.Helper()
	text = strings.ReplaceAll(text, documentedHTTP, sh.http)
	text = strings.ReplaceAll(text, documentedWatch, sh.monitor)
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	defer close(done)
	wg.Go(func() { // a command that hangs must not hang the tests
		select {
		case <-done:
		case <-time.After(90 * time.Second):
			_ = sh.in.Close()
			sh.t.Errorf("the command did not end within 90 s: %s", text)
		}
	})
	fmt.Fprintf(sh.in, "%s\necho; echo '%s'\n", text, marker)
	var out strings.Builder
	for {
		line, err := sh.out.ReadString('\n')
		if strings.TrimSuffix(line, "\n") == marker {
			return strings.TrimSuffix(out.String(), "\n")
		}
		out.WriteString(line)
		if err != nil {
			sh.t.Fatalf("the shell ended: %v: %s", err, out.String())
		}
	}
}
