package console

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// These tests use a real server: what they promise is about real connections.

func TestASlowReaderIsDroppedAndNobodyWaitsForIt(t *testing.T) {
	big := busy()
	big.Agents = nil
	for range maxAgents {
		big.Agents = append(big.Agents, Agent{Name: "a", State: Healthy, Reason: strings.Repeat("long ", 60)})
	}
	c := made(t, Options{View: func() View { return big }, MaxLive: 1})
	c.patience = 50 * time.Millisecond
	server := httptest.NewUnstartedServer(c.Handler())
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		_ = conn.(*net.TCPConn).SetWriteBuffer(4096) // so that little is on its way unread
		return ctx
	}
	server.Start()
	defer server.Close()

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /live HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// It reads nothing. Somebody else gets its seat once it is dropped.
	for ctx := t.Context(); ; {
		resp := ask(ctx, t, server.URL+"/live")
		if resp.StatusCode == http.StatusServiceUnavailable {
			_ = resp.Body.Close()
			continue
		}
		defer resp.Body.Close()
		if line, err := bufio.NewReader(resp.Body).ReadString('{'); err != nil || line != "data: {" {
			t.Errorf("the second reader got %q, %v; want an update", line, err)
		}
		return
	}
}

func TestADrainingServerDoesNotWaitForReaders(t *testing.T) {
	b := &bell{view: busy()}
	c := made(t, b.options())
	c.patience = 500 * time.Millisecond // for each update, not for all of them
	server := httptest.NewUnstartedServer(c.Handler())
	server.Config.ReadTimeout = 300 * time.Millisecond // neither must end a live connection
	server.Config.WriteTimeout = 300 * time.Millisecond
	server.Config.RegisterOnShutdown(c.Close)
	server.Start()
	defer server.Close()
	resp := ask(t.Context(), t, server.URL+"/live")
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	for range 2 { // the second comes after these times
		if _, err := body.ReadString('\n'); err != nil {
			t.Fatalf("read an update: %v", err)
		}
		if _, err := body.ReadString('\n'); err != nil {
			t.Fatalf("read the end of an update: %v", err)
		}
		b.change(func(v *View) { v.Agents[0].Lag++ })
	}
	if err := server.Config.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown = %v, want nil", err)
	}
	if _, err := io.ReadAll(body); err != nil {
		t.Errorf("the connection ended with %v, want a proper end", err)
	}
}

func ask(ctx context.Context, t *testing.T, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return resp
}
