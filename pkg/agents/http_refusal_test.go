package agents_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

// countNew counts the connections a server accepts.
func countNew(n *atomic.Int32) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
}

func TestHTTPStatusIsTheVerdict(t *testing.T) {
	retryable := map[int]bool{408: true, 425: true, 429: true}
	for status := 300; status <= 600; status++ {
		if status > 310 && status < 400 || status > 430 && status < 499 || status > 512 && status < 598 {
			continue // the ends of each class are enough
		}
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			body := "sorry"
			if status == http.StatusNotModified {
				body = "" // it cannot have one
			}
			agent := serve(t, agents.HTTPOptions{}, respond(status, "text/plain", body))
			_, err := agent.Handle(t.Context(), agents.Task{})
			if err == nil || !strings.Contains(err.Error(), strconv.Itoa(status)) || !strings.Contains(err.Error(), body) {
				t.Fatalf("got %v, want an error with the status and %q", err, body)
			}
			if got, want := resilience.IsPermanent(err), status < 500 && !retryable[status]; got != want {
				t.Errorf("permanent: got %v, want %v, input %v", got, want, err)
			}
			if delay, asks := resilience.RetryDelay(err); asks {
				t.Errorf("delay: got %v, want none asked for", delay)
			}
		})
	}
}

func TestHTTPRefusalShowsTheBeginningOfTheBody(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"a short one", `{"detail":"busy"}`, `/price: status 503 Service Unavailable: "{\"detail\":\"busy\"}"`},
		{"none", ``, `/price: status 503 Service Unavailable`},
		{"200 bytes of a long one", strings.Repeat("x", 1<<20), `: "` + strings.Repeat("x", 200) + `"`},
		{"no half of a character", strings.Repeat("x", 199) + "世", `: "` + strings.Repeat("x", 199) + `"`},
		{"on one line, without control characters", "a\r\nb\x1b[31m", `: "a\r\nb\x1b[31m"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent := serve(t, agents.HTTPOptions{}, respond(http.StatusServiceUnavailable, "text/plain", tt.body))
			_, err := agent.Handle(t.Context(), agents.Task{})
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v, want it to end with %s", err, tt.want)
			}
		})
	}
}

func TestHTTPHonoursRetryAfter(t *testing.T) {
	tests := []struct {
		name, header string
		low, high    time.Duration // 0: nothing is asked for
	}{
		{"seconds", "30", 30 * time.Second, 30 * time.Second},
		{"an hour", "3600", time.Hour, time.Hour},
		{"more than an hour counts as an hour", "3601", time.Hour, time.Hour},
		{"more seconds than a number holds", strings.Repeat("9", 100), time.Hour, time.Hour},
		{"a date", time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat), 9 * time.Minute, 10 * time.Minute},
		{"a far date counts as an hour", time.Now().AddDate(1000, 0, 0).UTC().Format(http.TimeFormat), time.Hour, time.Hour},
		{"0 asks for nothing", "0", 0, 0},
		{"a date that has passed asks for nothing", "Mon, 02 Jan 2006 15:04:05 GMT", 0, 0},
		{"a negative number asks for nothing", "-5", 0, 0},
		{"a fraction asks for nothing", "1.5", 0, 0},
		{"nonsense asks for nothing", "soon", 0, 0},
		{"an empty one asks for nothing", "", 0, 0},
	}
	for _, status := range []int{408, 425, 429, 500, 503} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%d %s", status, tt.name), func(t *testing.T) {
				agent := serve(t, agents.HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", tt.header)
					w.WriteHeader(status)
				})
				_, err := agent.Handle(t.Context(), agents.Task{})
				if err == nil || resilience.IsPermanent(err) {
					t.Fatalf("got %v, want a retryable error", err)
				}
				got, asks := resilience.RetryDelay(err)
				if asks != (tt.high > 0) || got < tt.low || got > tt.high {
					t.Errorf("got %v %v, want within %v and %v, input %q", got, asks, tt.low, tt.high, tt.header)
				}
			})
		}
	}
}

func TestHTTPFollowsNoRedirect(t *testing.T) {
	tests := []struct{ name, location, want string }{
		{"elsewhere", "http://elsewhere.example/", `to "http://elsewhere.example/": redirects are not followed`},
		{"to a path", "/other", `to "/other": redirects are not followed`},
		{"nowhere", "", `: redirects are not followed`},
		{"to what is no URL", "http://[::1", `to "http://[::1": redirects are not followed`},
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%d %s", status, tt.name), func(t *testing.T) {
				var requests atomic.Int32
				agent := serve(t, agents.HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					if tt.location != "" {
						w.Header().Set("Location", tt.location)
					}
					w.WriteHeader(status)
				})
				_, err := agent.Handle(t.Context(), agents.Task{})
				if err == nil || !strings.Contains(err.Error(), tt.want) || !resilience.IsPermanent(err) {
					t.Errorf("got %v, permanent %v, want a permanent error that says %s", err, resilience.IsPermanent(err), tt.want)
				}
				if got := requests.Load(); got != 1 {
					t.Errorf("got %d requests, want 1", got)
				}
			})
		}
	}
}

func TestHTTPVerdictStandsWhenTheBodyBreaksOff(t *testing.T) {
	agent := serve(t, agents.HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "half")
	})
	_, err := agent.Handle(t.Context(), agents.Task{})
	if !resilience.IsPermanent(err) || !strings.Contains(err.Error(), `400 Bad Request: "half"`) {
		t.Errorf("got %v, want a permanent error with what came of the body", err)
	}
}

func TestHTTPAnswerThatBreaksOffIsRetryable(t *testing.T) {
	agent := serve(t, agents.HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"a":`)
	})
	_, err := agent.Handle(t.Context(), agents.Task{})
	if err == nil || resilience.IsPermanent(err) || !strings.Contains(err.Error(), "read the answer: unexpected EOF") {
		t.Errorf("got %v, want a retryable error", err)
	}
}
