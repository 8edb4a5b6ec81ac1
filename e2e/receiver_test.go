package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A notified alert is one that Alertmanager told somebody of.
type notified struct {
	Receiver    string
	Status      string // firing or resolved
	Labels      map[string]string
	Annotations map[string]string
}

// A receiver is whom Alertmanager tells.
type receiver struct {
	t    *testing.T
	url  string
	more chan struct{} // holds a token when there is more

	mu   sync.Mutex
	told []notified
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, more: make(chan struct{}, 1)}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// ServeHTTP takes a notification, as Alertmanager posts it to webhooks.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var n struct {
		Receiver string
		Alerts   []notified
	}
	if err := json.NewDecoder(req.Body).Decode(&n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		r.t.Errorf("a notification: %v", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range n.Alerts {
		a.Receiver = n.Receiver
		r.told = append(r.told, a)
	}
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// await waits until an alert is told of after the first so many notifications, with a
// status and labels given as name=value, and returns it.
func (r *receiver) await(after int, alert, status string, labels ...string) notified {
	r.t.Helper()
	limit := time.After(patience)
	for {
		r.mu.Lock()
		fresh := r.told[after:]
		i := slices.IndexFunc(fresh, func(a notified) bool { return a.is(alert, status, labels) })
		r.mu.Unlock()
		if i >= 0 {
			return fresh[i]
		}
		select {
		case <-r.more:
		case <-limit:
			r.t.Fatalf("nobody was told that %s is %s %v; what was told:\n%s", alert, status, labels, r.log())
		}
	}
}

func (a *notified) is(alert, status string, labels []string) bool {
	return a.Labels["alertname"] == alert && a.Status == status && !slices.ContainsFunc(labels, func(label string) bool {
		name, value, _ := strings.Cut(label, "=")
		return a.Labels[name] != value
	})
}

// count is how many notifications there were.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told)
}

func (r *receiver) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	for _, a := range r.told {
		fmt.Fprintln(&text, a.Receiver, a.Status, a.Labels, a.Annotations["description"])
	}
	return text.String()
}
