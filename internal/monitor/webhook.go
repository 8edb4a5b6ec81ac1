package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"genesis/internal/config"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// webhookName is what the broker keeps the webhook's place under.
const webhookName = "webhook"

// maxPosted is how many events are remembered that were posted before they were stored.
const maxPosted = 100

// A webhook posts health events to a URL, as the CloudEvents that they are. It is fed
// from the stream of the events, so that none is missed when one monitor dies and
// another takes over; the outage of the broker itself, which cannot be in the stream yet,
// is posted at once. Events may come twice; their id tells.
type webhook struct {
	c         config.Webhook
	host      string // of the URL: the rest may be secret
	client    *http.Client
	retry     *resilience.Retry
	operation *telemetry.Operation
	count     func(outcome string)

	mu    sync.Mutex
	early []*early
}

// An early event is posted before it is stored.
type early struct {
	id     string
	done   chan struct{}
	posted bool // once done: it was
}

// Outcomes of a delivery.
const (
	webhookDelivered = "delivered"
	webhookFailed    = "failed"
	webhookDropped   = "dropped"
)

func newWebhook(c config.Webhook, operation *telemetry.Operation, count func(outcome string)) (*webhook, error) {
	retry, err := resilience.NewRetry(resilience.RetryOptions{
		Name: webhookName, MaxAttempts: c.MaxAttempts, InitialDelay: time.Second, MaxDelay: 30 * time.Second, Jitter: true,
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	to, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("webhook: monitor.webhook.url is no URL") // which may hold a password
	}
	client := &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: c.Timeout.Std(),
		// It would make a get of a post, and take the headers to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &webhook{c: c, host: to.Host, client: client, retry: retry, operation: operation, count: count}, nil
}

// run posts what is in the stream until ctx ends. after is what comes before all that the
// webhook wants to be told of, should it be its first time.
func (w *webhook) run(ctx context.Context, b *bus.Bus, after uint64) error {
	defer w.client.CloseIdleConnections()
	return b.DeliverHealth(ctx, webhookName, after, func(ctx context.Context, d bus.HealthDelivery) error {
		if d.Waiting > uint64(max(w.c.Queue, 0)) {
			w.count(webhookDropped)
			return fmt.Errorf("%d events wait, more than webhook.queue allows: the oldest are dropped", d.Waiting)
		}
		if w.was(ctx, d.ID) {
			return nil
		}
		return w.post(ctx, d.HealthEvent)
	})
}

// ahead posts an event that cannot be stored now.
func (w *webhook) ahead(ctx context.Context, event bus.HealthEvent) error {
	e := &early{id: event.ID, done: make(chan struct{})}
	w.mu.Lock()
	w.early = keepLast(append(w.early, e), maxPosted)
	w.mu.Unlock()
	defer close(e.done)
	err := w.post(ctx, event)
	e.posted = err == nil
	return err
}

// was reports whether an event was posted ahead. While that is being tried, it waits.
func (w *webhook) was(ctx context.Context, id string) bool {
	w.mu.Lock()
	at := slices.IndexFunc(w.early, func(e *early) bool { return e.id == id })
	var e *early
	if at >= 0 {
		e = w.early[at]
	}
	w.mu.Unlock()
	if e == nil {
		return false
	}
	select {
	case <-e.done:
		return e.posted
	case <-ctx.Done():
		return false
	}
}

func (w *webhook) post(ctx context.Context, e bus.HealthEvent) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = w.operation.Do(ctx, func(ctx context.Context) error {
		return w.retry.Do(ctx, func(ctx context.Context) error { return w.send(ctx, body) })
	}, "event", e.ID, "component", e.Component.String(), "state", string(e.Data.State))
	switch {
	case err == nil:
		w.count(webhookDelivered)
	case ctx.Err() == nil:
		w.count(webhookFailed)
	}
	return err
}

func (w *webhook) send(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.c.URL, bytes.NewReader(body))
	if err != nil {
		return resilience.Permanent(w.without(err))
	}
	for name, value := range w.c.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", bus.ContentTypeEvent)
	resp, err := w.client.Do(req)
	if err != nil {
		return w.without(err)
	}
	defer func() { _ = resp.Body.Close() }()                      // it was read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	switch code := resp.StatusCode; {
	case code < http.StatusMultipleChoices:
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		err := fmt.Errorf("the webhook answers %s", resp.Status)
		if after, bad := strconv.Atoi(resp.Header.Get("Retry-After")); bad == nil && after > 0 {
			return resilience.RetryAfter(err, time.Duration(min(after, 30))*time.Second)
		}
		return err
	case code < http.StatusInternalServerError && code != http.StatusRequestTimeout:
		return resilience.Permanent(fmt.Errorf("the webhook answers %s: check monitor.webhook", resp.Status))
	default:
		return fmt.Errorf("the webhook answers %s", resp.Status)
	}
}

// without is an error of the client without the URL, whose path and query may be secret.
func (w *webhook) without(err error) error {
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err
	}
	return fmt.Errorf("post to %s: %w", w.host, err)
}
