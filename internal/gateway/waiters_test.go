package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// gate holds every execution until it is opened.
type gate struct{ open chan struct{} }

func (g gate) handler(ctx context.Context, job *bus.Job) (bus.Answer, error) {
	select {
	case <-g.open:
		return echo(ctx, job)
	case <-ctx.Done():
		return bus.Answer{}, context.Cause(ctx)
	}
}

// submitDirect makes a call without a socket.
func (g *running) submitDirect(ctx context.Context, i int) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, requests, strings.NewReader(fmt.Sprintf(`{"prompt":"p%d"}`, i)))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Prefer", "wait=60")
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

func TestTenThousandWaitersCostAGoroutineEachAndNoSubscription(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) {
		a := c.Agents["echo"]
		a.MaxPending = 20_000
		c.Agents["echo"] = a
	}))
	const n = 10_000
	g.do(t, post(requests, hi)).is(t, http.StatusAccepted) // warm
	http.DefaultClient.CloseIdleConnections()
	goroutines, subscriptions := runtime.NumGoroutine(), g.bus.Conn().NumSubscriptions()

	var wg sync.WaitGroup
	var answered atomic.Int64
	for i := range n {
		wg.Go(func() {
			w := g.submitDirect(t.Context(), i)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), fmt.Sprintf(`"text":"p%d"`, i)) {
				t.Errorf("caller %d: got %d %s", i, w.Code, w.Body)
				return
			}
			answered.Add(1)
		})
	}
	await(t, "all to be published", func() bool {
		l, err := g.bus.Lag(t.Context(), "echo", bus.LaneInteractive)
		return err == nil && l.Lag == n+1 && g.waiters.count() == n
	})
	if got := runtime.NumGoroutine() - goroutines - n; got > 20 {
		t.Errorf("%d goroutines more than callers, want no more than a few", got)
	}
	if got := g.bus.Conn().NumSubscriptions() - subscriptions; got > 1 {
		t.Errorf("%d subscriptions more, want none", got)
	}
	work(t, g.bus, "echo", echo)
	wg.Wait()
	if answered.Load() != n || g.waiters.count() != 0 || g.replies.Waiting() != 0 {
		t.Errorf("%d of %d answered, %d and %d left behind", answered.Load(), n, g.waiters.count(), g.replies.Waiting())
	}
}

func TestWaitersOverSocketsAreAnsweredAtOnce(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	const n = 1000
	hold := gate{make(chan struct{})}
	work(t, connect(t, s, configured()), "echo", hold.handler)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	t.Cleanup(client.CloseIdleConnections)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			resp, err := client.Do(post(requests, hi, "Prefer: wait=60").request(t.Context(), t, g.URL()))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("got %s", resp.Status)
			}
		})
	}
	await(t, "all to wait", func() bool { return g.waiters.count() == n })
	close(hold.open)
	wg.Wait()
}

func TestBeyondTheLimitNobodyIsRefusedButNobodyWaits(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) { c.Gateway.MaxWaiters = 1 }))
	hold := gate{make(chan struct{})}
	work(t, g.bus, "echo", hold.handler)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if r, err := g.try(t.Context(), t, post(requests, hi, "Idempotency-Key: first", "Prefer: wait=60")); err != nil || r.status != http.StatusOK {
			t.Errorf("the first: got %d %s %v", r.status, r.body, err)
		}
	})
	await(t, "the first to wait", func() bool { return g.waiters.count() == 1 })
	for _, c := range []call{post(requests, hi, "Idempotency-Key: second", "Prefer: wait=60"), get(requests+"/first", "Prefer: wait=60")} {
		r := g.do(t, c)
		r.is(t, http.StatusAccepted)
		if got := r.header.Get("Preference-Applied"); got != "" {
			t.Errorf("%s: Preference-Applied: got %q, want none", c.method, got)
		}
	}
	close(hold.open)
}

func TestALostHintIsNoHarm(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	one, two := start(t, s, configured()), start(t, s, configured())
	hold := gate{make(chan struct{})}
	work(t, one.bus, "echo", hold.handler)
	one.do(t, post(requests, hi, "Idempotency-Key: l1")).is(t, http.StatusAccepted) // it asked for no hint
	var wg sync.WaitGroup
	for _, c := range []call{get(requests+"/l1", "Prefer: wait=20"), post(requests, hi, "Idempotency-Key: l1", "Prefer: wait=20")} {
		wg.Go(func() {
			if r, err := two.try(t.Context(), t, c); err != nil || r.status != http.StatusOK {
				t.Errorf("%s: got %d %s %v", c.method, r.status, r.body, err)
			}
		})
	}
	await(t, "both to wait", func() bool { return two.waiters.count() == 2 })
	close(hold.open)
	wg.Wait()
}
