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
	url   string
	dir   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startBroker starts a server and waits until it takes connections.
func startBroker(ctx context.Context, durability string) (*broker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "genesis-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the server: %w", err)
	}
	b := &broker{dir: dir}
	b.cmd = exec.CommandContext(ctx, self, "server", "-dir", dir, "-durability", durability)
	b.cmd.Stderr = os.Stderr
	stdin, err := b.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	b.stdin = stdin
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("start the server: it ended without a word: %w", err)
	}
	b.url = strings.TrimSpace(url)
	return b, nil
}

// stop ends the server and removes its data.
func (b *broker) stop() {
	_ = b.stdin.Close()
	_ = b.cmd.Wait()
	_ = os.RemoveAll(b.dir)
}
