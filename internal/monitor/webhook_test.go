package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// A receiver is a webhook's other end.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status []int // to answer with, one after the other; then 204
	events []bus.HealthEvent
	bad    []string
}

func receive(t *testing.T, status ...int) *receiver {
	t.Helper()
	r := &receiver{status: status}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.status) > 0 {
			w.WriteHeader(r.status[0])
			r.status = r.status[1:]
			return
		}
		var e bus.HealthEvent
		if err := json.NewDecoder(req.Body).Decode(&e); err != nil {
			r.bad = append(r.bad, err.Error())
		}
		if got := req.Header.Get("Content-Type"); got != bus.ContentTypeEvent || req.Header.Get("X-Team") != "a" {
			r.bad = append(r.bad, "headers: content type "+got)
		}
		r.events = append(r.events, e)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// told are the events as KIND/NAME STATE.
func (r *receiver) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, e := range r.events {
		all = append(all, e.Component.String()+" "+string(e.Data.State))
	}
	return all
}

// distinct are the ids of the events.
func (r *receiver) distinct() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := map[string]bool{}
	for _, e := range r.events {
		ids[e.ID] = true
	}
	return ids
}

func hooked(url string) func(*config.Config) {
	return func(c *config.Config) {
		c.Monitor.Webhook.URL, c.Monitor.Webhook.Headers = url, map[string]string{"X-Team": "a"}
	}
}

func TestTheWebhookIsToldOfEachEventThoughItFailsAtFirst(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	hook := receive(t, http.StatusInternalServerError, http.StatusServiceUnavailable)
	cfg := testConfig(hooked(hook.URL))
	b := connect(t, server, cfg)
	end := work(t, server, "w1", idle(), "echo", "probe", "assistant")
	m := start(t, server.URL(), cfg)
	await(t, "it leads, and sees the worker", func() bool { return m.leading.Load() && len(m.workersView()) == 1 })
	end(true)
	awaitEvents(t, b, bus.Component{Kind: bus.KindWorker, Name: "w1"}, "unhealthy<-healthy")
	await(t, "the webhook was told of the worker and of three agents", func() bool { return len(hook.told()) == 4 })
	want := []string{"agent/assistant unhealthy", "agent/echo unhealthy", "agent/probe unhealthy", "worker/w1 unhealthy"}
	if got := slices.Sorted(slices.Values(hook.told())); !slices.Equal(got, want) || len(hook.bad) > 0 {
		t.Errorf("the webhook: got %q (and %q), want %q", got, hook.bad, want)
	}
}

func TestTheWebhookIsToldOfAnOutageWhileItLasts(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	hook := receive(t)
	cfg := testConfig(hooked(hook.URL))
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "probe", "assistant")
	m := start(t, server.URL(), cfg)
	await(t, "it leads", func() bool { return m.leading.Load() })
	server.Down(t)
	await(t, "the webhook was told", func() bool { return slices.Equal(hook.told(), []string{"dependency/nats unhealthy"}) })
	server.Restart(t)
	awaitEvents(t, b, natsItself(), "unhealthy<-healthy", "healthy<-unhealthy")
	await(t, "the webhook was told of the end", func() bool { return len(hook.told()) >= 2 })
	if got, want := hook.told(), []string{"dependency/nats unhealthy", "dependency/nats healthy"}; !slices.Equal(got, want) {
		t.Errorf("the webhook: got %q, want %q", got, want)
	}
}

func TestAWebhookThatRefusesForGoodIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	hook := receive(t, http.StatusForbidden, http.StatusForbidden)
	cfg := testConfig(hooked(hook.URL))
	m := newMetrics("1.2.3")
	w, err := newWebhook(cfg.Monitor.Webhook, operation(m), m.posted)
	if err != nil {
		t.Fatal(err)
	}
	defer w.client.CloseIdleConnections()
	event := bus.HealthEvent{ID: "1", Time: time.Now(), Component: agentEcho(), Data: bus.HealthData{State: bus.StateDegraded}}
	if err := w.post(t.Context(), event); err == nil {
		t.Error("a refusal: got no error, want one")
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.status) != 1 {
		t.Errorf("refusals left: got %d, want 1: it was asked again", len(hook.status))
	}
}

// hook makes a webhook that tries once, and its metrics.
func hook(t *testing.T, cfg *config.Config) (*webhook, *metrics) {
	t.Helper()
	cfg.Monitor.Webhook.MaxAttempts = 1
	m := newMetrics("1.2.3")
	w, err := newWebhook(cfg.Monitor.Webhook, operation(m), m.posted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w, m
}

// posts runs a webhook from the first event on, until the test ends.
func posts(t *testing.T, w *webhook, b *bus.Bus) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.run(ctx, b, 0); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func TestAWebhooksSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	address := strings.TrimPrefix(closed.URL, "http://")
	closed.Close()
	w, _ := hook(t, testConfig(hooked("http://user:pa55word@"+address+"/services/t0ken?key=k3y")))
	err := w.post(t.Context(), bus.HealthEvent{ID: "1", Component: agentEcho(), Data: bus.HealthData{State: bus.StateDegraded}})
	if err == nil {
		t.Fatal("nobody listens: got no error, want one")
	}
	for _, secret := range []string{"pa55word", "t0ken", "k3y"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error, which is logged: got %q, want it without %s", err, secret)
		}
	}
	if !strings.Contains(err.Error(), address) {
		t.Errorf("the error: got %q, want it to name %s", err, address)
	}
}

// A redirect would turn the post into a get, and take the headers to somebody else.
func TestAWebhookFollowsNobodyElsewhere(t *testing.T) {
	t.Parallel()
	other := receive(t)
	elsewhere := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	t.Cleanup(elsewhere.Close)
	w, _ := hook(t, testConfig(hooked(elsewhere.URL)))
	if err := w.post(t.Context(), bus.HealthEvent{ID: "1", Component: agentEcho(), Data: bus.HealthData{State: bus.StateDegraded}}); err == nil {
		t.Error("a redirect: got no error, want one: the event was not delivered")
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	if len(other.events)+len(other.bad) > 0 {
		t.Errorf("the other one: got %v and %q, want nothing", other.events, other.bad)
	}
}

func TestWhatCouldNotBePostedAheadIsPostedFromTheStream(t *testing.T) {
	t.Parallel()
	server, other := bustest.Start(t), receive(t, http.StatusInternalServerError)
	cfg := testConfig(hooked(other.URL))
	b := connect(t, server, cfg)
	w, _ := hook(t, cfg)
	publish := func(id string, after uint64) uint64 {
		t.Helper()
		sequence, err := b.PublishHealth(t.Context(), bus.HealthEvent{ID: id, Component: natsItself(), Data: bus.HealthData{State: bus.StateUnhealthy}}, after)
		if err != nil {
			t.Fatal(err)
		}
		return sequence
	}
	if err := w.ahead(t.Context(), bus.HealthEvent{ID: "failed", Component: natsItself(), Data: bus.HealthData{State: bus.StateUnhealthy}}); err == nil {
		t.Fatal("the first post: got no error, want one")
	}
	if err := w.ahead(t.Context(), bus.HealthEvent{ID: "posted", Component: natsItself(), Data: bus.HealthData{State: bus.StateUnhealthy}}); err != nil {
		t.Fatal(err)
	}
	publish("last", publish("posted", publish("failed", 0)))
	posts(t, w, b)
	ids := func() (all []string) {
		other.mu.Lock()
		defer other.mu.Unlock()
		for _, e := range other.events {
			all = append(all, e.ID)
		}
		return all
	}
	await(t, "the last was posted", func() bool { return slices.Contains(ids(), "last") })
	if got, want := ids(), []string{"posted", "failed", "last"}; !slices.Equal(got, want) {
		t.Errorf("posted: got %q, want %q", got, want)
	}
}

func TestTheOldestEventsGiveWayWhenTooManyWait(t *testing.T) {
	t.Parallel()
	server, other := bustest.Start(t), receive(t)
	cfg := testConfig(hooked(other.URL), func(c *config.Config) { c.Monitor.Webhook.Queue = 3 })
	b := connect(t, server, cfg)
	last := uint64(0)
	for i := range 10 {
		var err error
		if last, err = b.PublishHealth(t.Context(), bus.HealthEvent{ID: string(rune('0' + i)), Component: agentEcho(), Data: bus.HealthData{State: bus.StateDegraded}}, last); err != nil {
			t.Fatal(err)
		}
	}
	w, m := hook(t, cfg)
	posts(t, w, b)
	await(t, "the newest were posted", func() bool { return len(other.told()) == 4 })
	other.mu.Lock()
	defer other.mu.Unlock()
	if got := other.events[0].ID; got != "6" {
		t.Errorf("the first one posted: got %s, want 6: three wait behind it", got)
	}
	for _, want := range []string{"genesis_webhook_dropped_total 6", `genesis_webhook_deliveries_total{outcome="failed"} 0`} {
		if got := scrape(t, m); !containsLine(got, want) {
			t.Errorf("metrics: got %s, want %s", got, want)
		}
	}
}

func TestAPostThatIsCutOffIsNoFailure(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-end
	}))
	t.Cleanup(slow.Close)
	defer close(end)
	w, m := hook(t, testConfig(hooked(slow.URL)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		<-began
		cancel() // the lease is lost
	})
	if err := w.post(ctx, bus.HealthEvent{ID: "1", Component: agentEcho(), Data: bus.HealthData{State: bus.StateDegraded}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cut off", err)
	}
	if got, want := scrape(t, m), `genesis_webhook_deliveries_total{outcome="failed"} 0`; !containsLine(got, want) {
		t.Errorf("metrics: got %s, want %s: the next leader delivers it", got, want)
	}
}
