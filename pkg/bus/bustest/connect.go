package bustest

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// errStopped is what a client gets that connects in process to a server that is down.
var errStopped = errors.New("bustest: the server is down")

// InProcess returns what nats.InProcessServer takes. It outlives restarts.
func (s *Server) InProcess() nats.InProcessConnProvider { return s }

// InProcessConn opens a connection to the server that is running now. It makes
// a Server a nats.InProcessConnProvider.
func (s *Server) InProcessConn() (net.Conn, error) {
	srv := s.running()
	if srv == nil {
		return nil, errStopped
	}
	return srv.InProcessConn()
}

// ClientOption returns the option that connects a client in process.
func (s *Server) ClientOption() nats.Option { return nats.InProcessServer(s) }

// Connect connects a client, in process when the server has no socket, and
// closes it when the test ends. It reconnects within 20 ms, for ever.
func (s *Server) Connect(tb testing.TB, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	all := []nats.Option{
		nats.Timeout(wait),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(20 * time.Millisecond),
		nats.ReconnectJitter(0, 0),
		// A test that stops its server on purpose needs no line about it.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	url := s.URL()
	if url == "" {
		all = append(all, s.ClientOption())
	}
	nc, err := nats.Connect(url, append(all, opts...)...)
	if err != nil {
		tb.Fatalf("bustest: connect to %q: %v; check that the server was not stopped", url, err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

// JetStream connects a client, as Connect does, and returns its JetStream.
func (s *Server) JetStream(tb testing.TB, opts ...nats.Option) jetstream.JetStream {
	tb.Helper()
	js, err := jetstream.New(s.Connect(tb, opts...))
	if err != nil {
		tb.Fatalf("bustest: jetstream: %v", err)
	}
	return js
}
