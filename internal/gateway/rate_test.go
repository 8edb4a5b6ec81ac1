package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/pkg/bus/bustest"
)

func TestEachClientHasItsOwnRate(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	path, key := withKey(t)
	g := start(t, s, configured(func(c *config.Config) {
		c.Gateway.RateLimit = config.RateLimit{RequestsPerSecond: 0.01, Burst: 2}
		c.Gateway.KeysFile = path
	}))
	for left := 1; left >= 0; left-- {
		r := g.do(t, post(requests, hi))
		r.is(t, http.StatusAccepted)
		want := fmt.Sprintf(`"client";r=%d;t=%d`, left, 100*(2-left))
		if got := r.header["Ratelimit"]; len(got) != 1 || got[0] != want {
			t.Errorf("RateLimit: got %q, want %s", got, want)
		}
		if got := r.header["Ratelimit-Policy"]; len(got) != 1 || got[0] != `"client";q=2;w=200` {
			t.Errorf("RateLimit-Policy: got %q", got)
		}
	}
	r := g.do(t, post(requests, hi))
	r.problem(t, http.StatusTooManyRequests, "come back in 100 seconds")
	if got := r.header.Get("Retry-After"); got != "100" {
		t.Errorf("Retry-After: got %q, want 100", got)
	}
	if got := r.header["Ratelimit"]; len(got) != 1 || got[0] != `"client";r=0;t=200` {
		t.Errorf("RateLimit of a 429: got %q", got)
	}
	g.do(t, post(requests, hi, "X-API-Key: "+key)).is(t, http.StatusAccepted)
	g.do(t, get(requests+"/none")).problem(t, http.StatusNotFound, "") // asking is not sending
}

func TestARateRefills(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newRates(config.RateLimit{RequestsPerSecond: 2}, func() time.Time { return now })
	h := http.Header{}
	for _, tt := range []struct {
		after time.Duration
		ok    bool
	}{{0, true}, {0, true}, {0, false}, {499 * time.Millisecond, false}, {time.Millisecond, true}, {0, false}, {time.Hour, true}, {0, true}, {0, false}} {
		now = now.Add(tt.after)
		if err := l.take(h, "a"); (err == nil) != tt.ok {
			t.Errorf("at %s: got %v, want allowed: %v", now.Format(time.StampMilli), err, tt.ok)
		}
	}
}

func TestNoRateIsNoLimit(t *testing.T) {
	l := newRates(config.RateLimit{}, time.Now)
	h := http.Header{}
	for range 1000 {
		if err := l.take(h, "a"); err != nil || len(h) != 0 {
			t.Fatalf("got %v %v", err, h)
		}
	}
}

func TestRememberedClientsAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newRates(config.RateLimit{RequestsPerSecond: 1}, func() time.Time { return now })
	h := http.Header{}
	for i := range maxClients + 10 {
		if err := l.take(h, fmt.Sprint(i)); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		if err := l.take(h, "busy"); i > 0 && err == nil {
			t.Fatalf("client %d: one who calls all the time was forgotten", i)
		}
	}
	if len(l.byName) != maxClients || l.recent.Len() != maxClients {
		t.Errorf("got %d and %d clients, want %d", len(l.byName), l.recent.Len(), maxClients)
	}
	var p *problemError
	if err := l.take(h, fmt.Sprint(maxClients+9)); !errors.As(err, &p) || p.Status != http.StatusTooManyRequests {
		t.Errorf("the last client: got %v, want it remembered", err)
	}
	if err := l.take(h, "0"); err != nil {
		t.Errorf("a forgotten client: got %v, want a new beginning", err)
	}
}

func TestClientsWithoutAKeyAreTheirAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234":           "192.0.2.1",
		"[::ffff:192.0.2.1]:1":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:2":      "2001:db8:1:2::/64",
		"":                         "",
		"pipe":                     "pipe",
	} {
		if got := addressBucket(remote); got != want {
			t.Errorf("addressBucket(%q): got %q, want %q", remote, got, want)
		}
	}
}
