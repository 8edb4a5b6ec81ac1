package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/pkg/bus/bustest"
)

// dial opens a connection to the gateway, for what no HTTP client would do.
func (g *running) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads one response from a connection.
func receive(t testing.TB, c net.Conn) reply {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("read a response: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read a body: %v", err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

const start413 = "POST " + requests + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

func TestALargeBodyIsRefusedBeforeItIsRead(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) { c.Gateway.MaxBody = config.KiB }))
	t.Run("by its announced length", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, start413+"Content-Length: 1000000\r\n\r\n")
		receive(t, c).problem(t, http.StatusRequestEntityTooLarge, "1KiB")
	})
	t.Run("before the client sends it, when it asks first", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, start413+"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
		receive(t, c).problem(t, http.StatusRequestEntityTooLarge, "1KiB")
	})
	t.Run("when it comes in pieces", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, start413+"Transfer-Encoding: chunked\r\n\r\n800\r\n"+strings.Repeat("x", 0x800)+"\r\n")
		receive(t, c).problem(t, http.StatusRequestEntityTooLarge, "1KiB") // its end has not been sent
	})
}

func TestSlowAndHalfClosedClients(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) { c.Gateway.ReadTimeout = config.Duration(300 * time.Millisecond) }))
	const head = "POST " + requests + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	t.Run("a header that does not end is cut off", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, "POST "+requests+" HTTP/1.1\r\nHost: localhost\r\n")
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("got %v, want the connection closed", err)
		}
	})
	t.Run("a body that does not come is 408", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, head+"Content-Length: 15\r\n\r\n{\"prompt\"")
		receive(t, c).problem(t, http.StatusRequestTimeout, "did not arrive in time")
	})
	t.Run("a body that ends too early is 400", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, head+"Content-Length: 15\r\n\r\n{\"prompt\"")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		receive(t, c).problem(t, http.StatusBadRequest, "shorter than it was said to be")
	})
	t.Run("a header that is too large is refused", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, head+"X-Filler: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
		if r := receive(t, c); r.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %d %s", r.status, r.body)
		}
	})
	t.Run("a client that only listens gets its answer", func(t *testing.T) {
		c := g.dial(t)
		send(t, c, head+"Prefer: wait=20\r\nIdempotency-Key: half\r\nContent-Length: 15\r\n\r\n{\"prompt\":\"hi\"}")
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		// To the gateway it looks like one that has gone; the request is accepted all the same.
		if r := receive(t, c); r.is(t, http.StatusAccepted)["id"] != "half" {
			t.Errorf("got %s", r.body)
		}
	})
	t.Run("a wait may be longer than the time to read", func(t *testing.T) {
		began := time.Now()
		r := g.do(t, post(requests, hi, "Prefer: wait=1"))
		r.is(t, http.StatusAccepted)
		if took := time.Since(began); took < 900*time.Millisecond {
			t.Errorf("the wait ended after %s", took)
		}
		r = g.do(t, get(requests+"/half", "Prefer: wait=1"))
		r.is(t, http.StatusAccepted)
		if took := time.Since(began); took < 1900*time.Millisecond {
			t.Errorf("both waits ended after %s", took)
		}
	})
	t.Run("a connection is used again after a wait", func(t *testing.T) {
		c := g.dial(t)
		for range 2 {
			send(t, c, head+"Prefer: wait=1\r\nContent-Length: 15\r\n\r\n{\"prompt\":\"hi\"}")
			receive(t, c).is(t, http.StatusAccepted)
		}
	})
}

func TestAnOutageIsToldAndRecoveredFrom(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	work(t, g.bus, "echo", echo)
	g.do(t, post(requests, hi, "Prefer: wait=20")).is(t, http.StatusOK)
	s.Down(t)
	await(t, "the loss to be noticed", func() bool { return !g.bus.Connected() })

	for _, tt := range []struct {
		name string
		call call
		id   any
	}{
		{"without an id", post(requests, hi), nil},
		{"without an id, waiting", post(requests, hi, "Prefer: wait=20"), nil},
		{"with an id", post(requests, hi, "Idempotency-Key: o1"), "o1"},
		{"a GET", get(requests + "/o1"), "o1"},
		{"a DELETE", remove(requests + "/o1"), "o1"},
		{"the agents", get("/v1/agents"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := g.do(t, tt.call)
			r.problem(t, http.StatusServiceUnavailable, "message bus")
			if r.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			p := r.json(t)
			if tt.id != nil && p["id"] != tt.id {
				t.Errorf("id: got %v, want %v", p["id"], tt.id)
			}
			if tt.call.method != http.MethodPost {
				return
			}
			if id, ok := p["id"].(string); !ok || !strings.Contains(p["detail"].(string), "Idempotency-Key: "+id) {
				t.Errorf("it does not say how to repeat: %s", r.body)
			}
		})
	}
	if r := g.do(t, get("/status")); r.is(t, http.StatusOK)["status"] != "degraded" {
		t.Errorf("status: got %s", r.body)
	}
	g.do(t, get("/health/ready")).is(t, http.StatusServiceUnavailable)
	g.do(t, get("/health/live")).is(t, http.StatusOK)

	s.Restart(t)
	await(t, "the gateway to accept again", func() bool {
		return g.do(t, post(requests, hi, "Idempotency-Key: o1", "Prefer: wait=20")).status == http.StatusOK
	})
	g.do(t, get("/health/ready")).is(t, http.StatusOK)
}

func TestAResultAfterAnOutageReachesWhoWaits(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		r, err := g.try(t.Context(), t, post(requests, hi, "Idempotency-Key: w1", "Prefer: wait=60"))
		if err != nil || r.status != http.StatusOK {
			t.Errorf("got %d %s %v", r.status, r.body, err)
		}
	})
	await(t, "the request", func() bool {
		_, err := g.bus.Pending(t.Context(), "echo", "w1")
		return err == nil
	})
	s.Restart(t)
	work(t, g.bus, "echo", echo)
}

func TestDrainingSendsAwayWhoWaits(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	const n = 50
	var wg sync.WaitGroup
	replies := make(chan reply, n)
	for range n {
		wg.Go(func() {
			r, err := g.try(t.Context(), t, post(requests, hi, "Prefer: wait=120"))
			if err != nil {
				t.Error(err)
			}
			replies <- r
		})
	}
	await(t, "all to wait", func() bool { return g.waiters.count() == n })
	began := time.Now()
	g.stop()
	wg.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the drain took %s", took)
	}
	for range n {
		if r := <-replies; r.is(t, http.StatusAccepted)["status"] != "pending" {
			t.Errorf("got %s", r.body)
		}
	}
	if _, err := g.try(t.Context(), t, get("/health/live")); err == nil {
		t.Error("the listener is still open")
	}
}

func TestDrainingIsSeenByReadinessAndEndsInTime(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	cfg := configured(func(c *config.Config) { c.Gateway.DrainTimeout = config.Duration(200 * time.Millisecond) })
	g := start(t, s, cfg)
	c := g.dial(t) // in the middle of a call, for as long as it likes
	send(t, c, "POST "+requests+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{")
	g.do(t, get("/health/live")) // the server has taken both up
	began := time.Now()
	g.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the drain took %s, want 200 ms", took)
	}
	out, err := g.ready(context.WithoutCancel(t.Context()), nil)
	if err != nil || out.Status != http.StatusServiceUnavailable || out.Body.Checks["accepting"] {
		t.Errorf("ready while draining: got %+v %v", out, err)
	}
	if st, err := g.status(t.Context(), nil); err != nil || st.Body.Status != "degraded" {
		t.Errorf("status while draining: got %+v %v", st, err)
	}
}

func TestAPanicIsAProblem(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g, err := New(Options{Config: configured(), Bus: connect(t, s, configured())})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close() //nolint:errcheck // it was never run
	w := httptest.NewRecorder()
	panics := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.WriteHeader(http.StatusOK)
		}
		panic("of no use")
	}
	g.guard(http.HandlerFunc(panics)).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	reply{w.Code, w.Header(), w.Body.String()}.problem(t, http.StatusInternalServerError, "its log tells more")

	defer func() {
		if v := recover(); !errors.Is(asError(v), http.ErrAbortHandler) {
			t.Errorf("after half a response: got %v, want the connection aborted", v)
		}
	}()
	g.guard(http.HandlerFunc(panics)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/half", nil))
}
