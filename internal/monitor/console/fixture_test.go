package console

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// now is when the Views of these tests are looked at, as far as ages matter.
func now() time.Time { return time.Now() }

// busy is a View with something in each of its lists.
func busy() View {
	at := now()
	return View{
		Status: Unhealthy, Message: "summarizer has no worker", Since: at.Add(-time.Hour),
		Broker:  Broker{Connected: true, Since: at.Add(-5 * time.Hour), Server: "nats-1"},
		Monitor: Monitor{Name: "monitor-1", Leading: true, Leader: "monitor-1", Since: at.Add(-2 * time.Hour)},
		Round:   Round{Last: at.Add(-2 * time.Second), Interval: 30 * time.Second},
		Agents: []Agent{
			{
				Name: "echo", State: Healthy, Recovery: at.Add(time.Minute), Lag: 7, OldestAge: 3 * time.Second, Arrival: 1.5, Service: 1.25, Drain: 9 * time.Second,
				Lanes: []Lane{{"interactive", 3, time.Second}, {"batch", 4, 3 * time.Second}},
				Slots: 10, InUse: 4, Workers: 2, ErrorRate: 0.025, DeadLetters: 3, History: []uint64{0, 12, 7},
			},
			{
				Name: "summarizer", State: Unhealthy, Reason: "no worker serves it", Since: at.Add(-time.Hour), Recovery: at.Add(10*time.Minute + 30*time.Second),
				Lag: 40, Arrival: -1, Service: -1, Drain: -1, ErrorRate: -1,
			},
		},
		Breakers: []Breaker{{Provider: "vertex", Open: 2, HalfOpen: 1, Reason: "503 from the model", Agents: []string{"summarizer"}}},
		Workers: []Worker{
			{Name: "wk-1", Version: "v1", Started: at.Add(-time.Hour), Agents: []string{"echo"}, Slots: 10, InUse: 4},
			{Name: "wk-2", Version: "v1", Started: at.Add(-time.Hour), Agents: []string{"summarizer"}, Slots: 10, Lost: at.Add(-time.Minute)},
		},
		Streams:     []Stream{{Name: "GENESIS_RESULTS", State: Degraded, Reason: "nearly full", Messages: 12, Bytes: 2048, Full: 0.9, Offline: []string{"nats-3"}}},
		DeadLetters: []DeadLetters{{"9f31c2aa", "summarizer", "exhausted", "the model is overloaded", 41, at.Add(-time.Hour), at.Add(-time.Minute)}},
		Events:      []Event{{at.Add(-time.Hour), "agent/summarizer", Unhealthy, Healthy, "no worker serves it"}},
		Watched:     at.Add(-5 * time.Hour),
	}
}

// showing makes a console of one View.
func showing(t *testing.T, v View) *Console {
	t.Helper()
	return made(t, Options{View: func() View { return v }, Version: "v1"})
}

func made(t *testing.T, o Options) *Console {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

// get asks a console for a path.
func get(t *testing.T, c *Console, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

// page is the parsed page of a View.
func page(t *testing.T, v View) *html.Node {
	t.Helper()
	w := get(t, showing(t, v), "/")
	if w.Code != http.StatusOK {
		t.Fatalf("GET / = %d %s, want 200", w.Code, w.Body)
	}
	doc, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatalf("parse the page: %v", err)
	}
	return doc
}

// all returns the elements of a name below a node; "" is any name.
func all(n *html.Node, name string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (name == "" || d.Data == name) {
			found = append(found, d)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// byID returns the element with an id.
func byID(t *testing.T, doc *html.Node, id string) *html.Node {
	t.Helper()
	for _, n := range all(doc, "") {
		if attr(n, "id") == id {
			return n
		}
	}
	t.Fatalf("the page has no element with the id %q", id)
	return nil
}

// text is what a node says, its blanks made one.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// rowOf returns the row of an agent.
func rowOf(t *testing.T, doc *html.Node, agent string) *html.Node {
	t.Helper()
	for _, tr := range all(byID(t, doc, "agents"), "tr") {
		if attr(tr, "data-key") == agent {
			return tr
		}
	}
	t.Fatalf("there is no row for the agent %q", agent)
	return nil
}
