package monitor

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// listen opens a stream of events, and returns what it says line by line.
func listen(t *testing.T, url string, header http.Header) (lines func() string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	transport := &http.Transport{}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type: got %q, want text/event-stream", got)
	}
	end = func() {
		cancel()
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
	t.Cleanup(end)
	scanner := bufio.NewScanner(resp.Body)
	return func() string {
		for scanner.Scan() {
			if line := scanner.Text(); line != "" && !strings.HasPrefix(line, ":") {
				return line
			}
		}
		return ""
	}, end
}

func TestEventsAreStreamedAndResumed(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	m := start(t, server.URL(), cfg)
	await(t, "it follows the events", m.recalled)
	other := bus.Component{Kind: bus.KindDependency, Name: "elsewhere"}
	publish := func(state, previous bus.HealthState, after uint64) uint64 {
		t.Helper()
		sequence, err := b.PublishHealth(t.Context(), bus.HealthEvent{Component: other, Data: bus.HealthData{State: state, Previous: previous, Reason: "told by a test"}}, after)
		if err != nil {
			t.Fatal(err)
		}
		return sequence
	}
	lines, end := listen(t, m.URL()+"/v1/events", nil)
	first := publish(bus.StateDegraded, bus.StateHealthy, 0)

	id := lines()
	if !strings.HasPrefix(id, "id: ") {
		t.Fatalf("first line: got %q, want an id", id)
	}
	if got, want := lines(), "event: genesis.health.degraded"; got != want {
		t.Errorf("second line: got %q, want %q", got, want)
	}
	var e bus.HealthEvent
	data := strings.TrimPrefix(lines(), "data: ")
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Component != other || e.Data.Reason != "told by a test" {
		t.Errorf("data: got %s (%v), want the event of %s", data, err, other)
	}
	end()
	publish(bus.StateUnhealthy, bus.StateDegraded, first)

	lines, _ = listen(t, m.URL()+"/v1/events", http.Header{"Last-Event-Id": {strings.TrimPrefix(id, "id: ")}})
	lines()
	if got, want := lines(), "event: genesis.health.unhealthy"; got != want {
		t.Errorf("after the id of the first: got %q, want %q", got, want)
	}
	if code := get(t, m.URL()+"/v1/events?after=x", nil, nil); code != http.StatusBadRequest {
		t.Errorf("a sequence that is none: got %d, want 400", code)
	}
	var list []bus.HealthEvent
	if get(t, m.URL()+"/v1/events?limit=1", http.Header{"Accept": {"application/json"}}, &list); len(list) != 1 || list[0].Data.State != bus.StateUnhealthy {
		t.Errorf("the list: got %+v, want the last event", list)
	}
}

func TestASubscriberThatDoesNotReadIsSentAway(t *testing.T) {
	t.Parallel()
	f := newFeed()
	_, events, cancel, err := f.subscribe(0, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxBehind + 1 {
		f.add(bus.StoredHealthEvent{HealthEvent: bus.HealthEvent{ID: string(rune('a' + i))}, Sequence: uint64(i + 1)})
	}
	got := 0
	for range events {
		got++
	}
	if got != maxBehind {
		t.Errorf("events before it was sent away: got %d, want %d", got, maxBehind)
	}
	cancel() // twice is no harm
	f.end()
	if _, _, _, err := f.subscribe(0, false); err == nil {
		t.Error("a subscriber after the end: got no error")
	}
}
