// Package embedded runs a NATS server with JetStream inside this process: the
// broker of `genesis up`, for any NATS client on this machine.
//
// It listens on loopback only, because it asks nobody for a password, and keeps its
// data in a directory that one process at a time may use. It is one server, never
// part of a cluster: for many machines, run nats-server and give the programs its URL.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A Durability says when the server writes an accepted message to the disk itself,
// beyond the operating system's memory.
type Durability string

// The durabilities; the zero value is Standard.
const (
	Relaxed  Durability = "relaxed"  // within two minutes: survives the death of the process
	Standard Durability = "standard" // within 100 ms
	Strict   Durability = "strict"   // before it is confirmed: survives a power cut
)

const (
	// DefaultAddr is where NATS clients look for a server.
	DefaultAddr = "127.0.0.1:4222"

	standardSync = 100 * time.Millisecond
	readyTimeout = 10 * time.Second
	stopTimeout  = 15 * time.Second
	// minPayload holds a request of 1 MiB with its headers, and its dead letter.
	minPayload = 1<<20 + 128<<10
	// minSpace is the disk space below which starting would only postpone the trouble.
	minSpace = 64 << 20
)

// Options say where the server keeps its data and how. Dir is needed; a zero
// elsewhere is the default.
type Options struct {
	// Dir holds the data; it is made when missing.
	Dir string
	// Addr is the loopback address for clients; empty means [DefaultAddr], port 0 a free one.
	Addr string
	// Durability is when messages are written to the disk.
	Durability Durability
	// MaxPayload is the largest message in bytes, headers included; it is never below
	// what a request of 1 MiB needs.
	MaxPayload int
	// Logger receives the server's warnings and errors; nil discards them.
	Logger *slog.Logger
}

// A Server is a running broker. Make it with [Start], and stop it in the end.
type Server struct {
	nats *server.Server
	addr string
	lock *dirLock
	stop func()
}

// Start starts the broker and waits until it takes connections. Errors: [ErrAddress],
// [ErrAddressInUse], [ErrNotLoopback], [ErrDir], [ErrDiskFull], a [*LockedError].
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	port, err := checkAddr(ctx, o.Addr)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s, err := start(o, port)
	if err != nil {
		lock.release()
		return nil, err
	}
	s.lock = lock
	return s, nil
}

func start(o Options, port int) (*Server, error) {
	opts := o.server(port)
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start NATS: %w", err)
	}
	log := newLogger(o.Logger)
	srv.SetLoggerV2(log, false, false, false)
	s := &Server{nats: srv}
	s.stop = sync.OnceFunc(s.shutdown)
	srv.Start()
	if err := log.fatal(); err != nil {
		s.stop()
		return nil, fmt.Errorf("start NATS on %s with data in %s: %w", o.Addr, o.Dir, err)
	}
	if !srv.ReadyForConnections(readyTimeout) || !srv.JetStreamEnabled() {
		err := errors.Join(errors.New("not ready within "+readyTimeout.String()), log.last())
		s.stop()
		return nil, fmt.Errorf("start NATS on %s with data in %s: %w", o.Addr, o.Dir, err)
	}
	if space := srv.JetStreamConfig().MaxStore; space < minSpace {
		s.stop()
		return nil, fmt.Errorf("%w: %s has room for %d MiB, and at least %d MiB are needed", ErrDiskFull, o.Dir, space>>20, minSpace>>20)
	}
	s.addr = srv.Addr().String()
	return s, nil
}

// server translates the options into the server's own.
func (o Options) server(port int) *server.Options {
	host, _, _ := net.SplitHostPort(o.Addr) // checked before
	payload := max(o.MaxPayload, minPayload)
	opts := &server.Options{
		ServerName:             "genesis",
		Host:                   host,
		Port:                   port,
		NoSigs:                 true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               filepath.Join(o.Dir, "nats"),
		MaxPayload:             int32(min(payload, 1<<30)),
		// Twice the largest message, or a single one would make its reader a slow consumer.
		MaxPending: int64(max(server.MAX_PENDING_SIZE, 2*payload)),
	}
	switch o.Durability {
	case Relaxed:
	case Strict:
		opts.SyncAlways = true
	case Standard, "":
		opts.SyncInterval = standardSync
	}
	return opts
}

// Addr is where clients connect, with the port that was taken.
func (s *Server) Addr() string { return s.addr }

// URL is the address for NATS clients.
func (s *Server) URL() string { return "nats://" + s.addr }

// InProcessConn opens a connection without a socket. It makes a Server a
// nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.InProcessConn() }

// Stop ends all connections, writes what is not on the disk yet, and gives the data
// directory free. It may be called again.
func (s *Server) Stop() { s.stop() }

func (s *Server) shutdown() {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
		close(done)
	})
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-done:
		wg.Wait()
	case <-timer.C: // the process ends anyway; its lock goes with it
		return
	}
	if s.lock != nil {
		s.lock.release()
	}
}
