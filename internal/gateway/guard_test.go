package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"genesis/pkg/bus/bustest"
)

// timed remembers the deadline that a response was given.
type timed struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

// SetWriteDeadline is what http.ResponseController calls.
func (w *timed) SetWriteDeadline(at time.Time) error {
	w.deadline = at
	return nil
}

func TestWhoReadsSlowlyIsCutOffButNotWhoWaits(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g, err := New(Options{Config: configured(), Bus: connect(t, s, configured())})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close() //nolint:errcheck // it was never run
	if limit := g.httpServer(t.Context()).WriteTimeout; limit < maxWait+writeTimeout {
		t.Errorf("the server cuts responses off after %s, and a wait may take %s", limit, maxWait)
	}
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	var before time.Time
	g.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		before = time.Now() // a wait of any length ends here
		_, _ = w.Write([]byte("x"))
	})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if got := w.deadline.Sub(before); got < writeTimeout || got > writeTimeout+5*time.Second {
		t.Errorf("the response may take %s from its first byte, want %s", got, writeTimeout)
	}
}

func TestEveryResponseIsSafeToShow(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	for _, c := range []call{post(requests, hi), get("/v1/agents"), get("/nowhere"), get("/openapi.json"), get("/metrics")} {
		h := g.do(t, c).header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") == "" {
			t.Errorf("%s %s: got %v", c.method, c.path, h)
		}
	}
}
