package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The durability settings of Genesis: what each asks of the server.
const (
	relaxed  = "relaxed"  // the server's own default: a sync every two minutes
	standard = "standard" // a sync every 100 ms
	strict   = "strict"   // a sync before each confirmation
)

// serve is `bench server`: a nats-server with JetStream, until its input ends, which
// it does when the bench ends, however that ends.
func serve(args []string, in io.Reader, out io.Writer) error {
	f := flag.NewFlagSet("bench server", flag.ContinueOnError)
	dir := f.String("dir", "", "directory of the data")
	durability := f.String("durability", relaxed, "relaxed, standard or strict")
	profile := f.Int("profile", 0, "port of net/http/pprof")
	if err := f.Parse(args); err != nil {
		return err
	}
	o := &server.Options{
		ServerName: "bench", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true,
		JetStream: true, StoreDir: *dir, ProfPort: *profile,
	}
	switch *durability {
	case standard:
		o.SyncInterval = 100 * time.Millisecond
	case strict:
		o.SyncAlways = true
	}
	s, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("new server: %w", err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return errors.New("the server was not ready within 10 s")
	}
	if _, err := fmt.Fprintln(out, s.ClientURL()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// A broker is a nats-server in a process of its own, on a directory that goes with it.
type broker struct {
	*helper
	dir string
}

// startBroker starts a server and waits until it takes connections.
func startBroker(ctx context.Context, durability string) (*broker, error) {
	dir, err := os.MkdirTemp("", "genesis-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the server: %w", err)
	}
	h, err := startHelper(ctx, "server", "-dir", dir, "-durability", durability)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &broker{h, dir}, nil
}

// stop ends the server and removes its data.
func (b *broker) stop() {
	b.helper.stop()
	_ = os.RemoveAll(b.dir)
}

// A helper is this program in a process of its own, as one of its servers.
type helper struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startHelper starts one and waits until it names its address.
func startHelper(ctx context.Context, args ...string) (*helper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	h := &helper{cmd: exec.CommandContext(ctx, self, args...)}
	h.cmd.Stderr = os.Stderr
	stdin, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", args[0], err)
	}
	h.stdin = stdin
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", args[0], err)
	}
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", args[0], err)
	}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		h.stop()
		return nil, fmt.Errorf("start the %s: it ended without a word: %w", args[0], err)
	}
	h.url = strings.TrimSpace(url)
	return h, nil
}

// stop ends it and waits for it.
func (h *helper) stop() {
	_ = h.stdin.Close()
	_ = h.cmd.Wait()
}
