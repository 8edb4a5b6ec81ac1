package monitor

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// A gate is a way to a server that can be shut.
type gate struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	shut  bool
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

// way opens a way to a server.
func way(t *testing.T, url string) *gate {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: l, to: strings.TrimPrefix(url, "nats://"), conns: map[net.Conn]struct{}{}}
	g.wg.Go(func() { g.accept(context.WithoutCancel(t.Context())) })
	t.Cleanup(func() {
		_ = l.Close()
		g.turn(true)
		g.wg.Wait()
	})
	return g
}

func (g *gate) url() string { return "nats://" + g.listener.Addr().String() }

// turn shuts the way, for those who are on it, too, or opens it.
func (g *gate) turn(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	for c := range g.conns {
		if shut {
			_ = c.Close()
		}
	}
}

func (g *gate) accept(ctx context.Context) {
	for {
		from, err := g.listener.Accept()
		if err != nil {
			return
		}
		var dialer net.Dialer
		to, err := dialer.DialContext(ctx, "tcp", g.to)
		if err != nil || !g.enter(from, to) {
			_ = from.Close()
			if err == nil {
				_ = to.Close()
			}
			continue
		}
		g.wg.Go(func() { g.carry(from, to) })
		g.wg.Go(func() { g.carry(to, from) })
	}
}

func (g *gate) enter(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range conns {
		if !g.shut {
			g.conns[c] = struct{}{}
		}
	}
	return !g.shut
}

func (g *gate) carry(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = from.Close(), to.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, from)
}
