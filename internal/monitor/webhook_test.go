package monitor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
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
	end := work(t, server, "w1", idle, "echo", "probe", "assistant")
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
	work(t, server, "w1", idle, "echo", "probe", "assistant")
	m := start(t, server.URL(), cfg)
	await(t, "it leads", func() bool { return m.leading.Load() })
	server.Down(t)
	await(t, "the webhook was told", func() bool { return slices.Equal(hook.told(), []string{"dependency/nats unhealthy"}) })
	server.Restart(t)
	awaitEvents(t, b, natsItself, "unhealthy<-healthy", "healthy<-unhealthy")
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
	event := bus.HealthEvent{ID: "1", Time: time.Now(), Component: agentEcho, Data: bus.HealthData{State: bus.StateDegraded}}
	if err := w.post(t.Context(), event); err == nil {
		t.Error("a refusal: got no error, want one")
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if len(hook.status) != 1 {
		t.Errorf("refusals left: got %d, want 1: it was asked again", len(hook.status))
	}
}
