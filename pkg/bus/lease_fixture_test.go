package bus_test

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// A wire is a way to the server that can be cut, and that can hold back what the server
// says.
type wire struct {
	server *bustest.Server

	mu    sync.Mutex
	cut   bool
	conns []*wiredConn
}

// wired connects to a server over a wire.
func wired(t testing.TB, s *bustest.Server) (*bus.Bus, *wire) {
	t.Helper()
	w := &wire{server: s}
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: w, Logger: quiet()})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	t.Cleanup(func() { w.deafen(false) })
	createStreams(t, b)
	return b, w
}

// InProcessConn implements nats.InProcessConnProvider.
func (w *wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, net.ErrClosed
	}
	inner, err := w.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	c := &wiredConn{Conn: inner}
	w.conns = append(w.conns, c)
	return c, nil
}

// sever breaks all connections and refuses new ones; or lets them be made again.
func (w *wire) sever(cut bool) {
	w.mu.Lock()
	conns := w.conns
	w.cut = cut
	w.mu.Unlock()
	for _, c := range conns {
		if cut {
			_ = c.Close()
		}
	}
}

// deafen holds back what the server says over the connections of now; or lets it
// through. While a connection is made nothing is held back: the client waits for it
// under its lock, which stops virtual time.
func (w *wire) deafen(deaf bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.deafen(deaf)
	}
}

type wiredConn struct {
	net.Conn

	mu    sync.Mutex
	made  bool          // the client has sent its first PING, and got the PONG
	hears chan struct{} // nil: nothing is held back
}

func (c *wiredConn) deafen(deaf bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case deaf && c.made && c.hears == nil:
		c.hears = make(chan struct{})
	case !deaf && c.hears != nil:
		close(c.hears)
		c.hears = nil
	}
}

func (c *wiredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.made = c.made || bytes.Contains(p[:n], []byte("PONG"))
	hears := c.hears
	c.mu.Unlock()
	if hears != nil {
		<-hears
	}
	return n, err
}
