// Package bustest runs a real NATS server with JetStream inside a test, so
// that nothing of the broker is ever mocked.
//
// A server keeps its data in the test's temporary directory, listens on a free
// loopback port (or on none), can be restarted on the same data and port, and
// is stopped, and waited for, when the test ends. Every wait is bounded: a test
// that cannot go on fails and says what to check.
//
// A package that uses it has one line of TestMain:
//
//	func TestMain(m *testing.M) { bustest.Main(m) }
//
// With it, a test may run the server within a testing/synctest bubble by
// [NoListen], and an AckWait of 30 s passes in milliseconds. Such a test does
// not run in parallel with others: the NATS client shares timers between them.
//
// It does not kill a server: it lives in the test's own process. Tests of kill
// -9 start a program.
package bustest

import (
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// wait bounds the start, the stop and each connection of a server.
const wait = 10 * time.Second

// Server is an embedded NATS server with JetStream. Clients may connect from
// several goroutines; one at a time starts and stops it.
type Server struct {
	opts    options
	log     *logger
	stopped bool // for good, by Stop

	mu   sync.Mutex     // never held while waiting: virtual time would stand still
	nats *server.Server // nil while stopped
}

// Start starts a server, waits until it takes connections, and stops it when
// the test ends. It fails the test when the server is not ready within 10 s.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	o := options{port: server.RANDOM_PORT}
	for _, apply := range opts {
		apply(&o)
	}
	if o.dir == "" {
		o.dir = tb.TempDir()
	}
	checkBubble(tb, o)
	bubble := inBubble()
	if bubble {
		dropPools()
	}
	s := &Server{opts: o, log: &logger{}}
	if o.log {
		s.log.tb = tb
	}
	tb.Cleanup(func() {
		if !s.stop(true) {
			tb.Errorf("bustest: the server did not stop within %s; its last words: %s", wait, s.log.last())
		}
		if bubble {
			dropPools() // the clients, connected later, are closed by now
		}
	})
	s.start(tb)
	return s
}

// Restart stops the server and starts it again with the same options on the
// same data and port. Clients that reconnect find it again. After Stop it
// fails the test.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if !s.stop(false) {
		tb.Fatalf("bustest: restart: the server did not stop within %s; its last words: %s", wait, s.log.last())
	}
	if s.stopped {
		tb.Fatal("bustest: restart: the server was stopped for good by Stop; use Down to stop it for a while")
	}
	s.start(tb)
}

// Down stops the server and waits for it; Restart brings it back.
func (s *Server) Down(tb testing.TB) {
	tb.Helper()
	if !s.stop(false) {
		tb.Fatalf("bustest: the server did not stop within %s; its last words: %s", wait, s.log.last())
	}
}

// Stop stops the server for good and waits, at most 10 s, until all its
// goroutines have ended. It may be called again; the end of the test does.
func (s *Server) Stop() { s.stop(true) }

// URL returns the address for clients, nats://127.0.0.1:PORT. It stays the
// same over restarts. With NoListen it is empty: connect in process.
func (s *Server) URL() string {
	if s.opts.noListen {
		return ""
	}
	return "nats://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(s.opts.port))
}

// Dir returns the directory of the server's data.
func (s *Server) Dir() string { return s.opts.dir }

// start starts a server and waits for it.
func (s *Server) start(tb testing.TB) {
	tb.Helper()
	srv, err := server.NewServer(s.opts.server())
	if err != nil {
		tb.Fatalf("bustest: new server: %v; check the options given to Start", err)
	}
	srv.SetLoggerV2(s.log, false, false, false)
	s.set(srv) // a failure below stops it, too
	srv.Start()
	if !srv.ReadyForConnections(wait) {
		tb.Fatalf("bustest: the server was not ready within %s; check that port %d (-1: any) is free and that %s is writable and used by no other server; its last words: %s",
			wait, s.opts.port, s.opts.dir, s.log.last())
	}
	if !srv.JetStreamEnabled() {
		tb.Fatalf("bustest: JetStream did not start; check that %s is writable and its disk not full; last words: %s", s.opts.dir, s.log.last())
	}
	if addr, ok := srv.Addr().(*net.TCPAddr); ok {
		s.opts.port = addr.Port
	}
}

// stop stops the running server, if any, and reports whether it ended in time.
func (s *Server) stop(forGood bool) bool {
	s.stopped = s.stopped || forGood
	srv := s.set(nil)
	if srv == nil {
		return true
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		close(done)
	})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
		wg.Wait()
		return true
	case <-timer.C:
		return false
	}
}

// set replaces the running server and returns the one before.
func (s *Server) set(srv *server.Server) *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.nats
	s.nats = srv
	return before
}

// running returns the running server, nil when there is none.
func (s *Server) running() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nats
}
