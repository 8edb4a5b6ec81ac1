package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
)

func event(name, reason string) bus.StoredHealthEvent {
	return bus.StoredHealthEvent{HealthEvent: bus.HealthEvent{
		ID: "1", Time: time.Unix(0, 0), Component: bus.Component{Kind: bus.KindAgent, Name: name},
		Data: bus.HealthData{State: bus.StateDegraded, Reason: reason},
	}}
}

func TestAReasonIsCutToTheTerminal(t *testing.T) {
	const long = "lag is 4000 of 1000,\nand the oldest request waits since 12m30s"
	for _, tt := range []struct {
		width int
		want  string
	}{
		{0, "lag is 4000 of 1000, and the oldest request waits since 12m30s"},
		{90, "lag is 4000 of 1000, and the old..."},
		{10, "lag is 4000 of 10..."},
		{1000, "lag is 4000 of 1000, and the oldest request waits since 12m30s"},
	} {
		var out strings.Builder
		p := eventPrinter{w: &out, width: tt.width}
		p.show(event("echo", long))
		p.flush()
		_, row, _ := strings.Cut(out.String(), "\n")
		row = strings.TrimSuffix(row, "\n")
		if !strings.HasSuffix(row, "  agent/echo  degraded   -          "+tt.want) || tt.width == 90 && len(row) != 90 {
			t.Errorf("a terminal of %d: got %q, want it to end in %q", tt.width, row, tt.want)
		}
	}
}

func TestTheTableOfEventsHoldsFewOfThemBack(t *testing.T) {
	var out strings.Builder
	p := eventPrinter{w: &out}
	for range heldEvents {
		p.show(event("a", ""))
	}
	if got := strings.Count(out.String(), "\n"); got != heldEvents+1 {
		t.Errorf("after %d events: got %d lines, want all and the titles", heldEvents, got)
	}
	p.show(event("a-longer-one", "later"))
	p.flush()
	if got := strings.Count(out.String(), "TIME"); got != 1 || !strings.HasSuffix(out.String(), "  agent/a-longer-one  degraded   -          later\n") {
		t.Errorf("got %d times the titles, and last %q", got, out.String()[len(out.String())-60:])
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken")

func TestEventsThatCannotBePrintedEndTheCommand(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		p := eventPrinter{w: brokenPipe{}, json: asJSON}
		p.show(event("echo", ""))
		p.flush()
		if !errors.Is(p.err, errBroken) {
			t.Errorf("as JSON %t: got %v, want %v", asJSON, p.err, errBroken)
		}
	}
}

// What is published while a follower looks back is neither missed nor told twice.
func TestAFollowerThatBeginsInTheMiddleIsToldAllOnce(t *testing.T) {
	s := newSystem(t, 10)
	b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errs lockedBuffer
	var follower sync.WaitGroup
	follower.Go(func() {
		args := []string{"events", "--follow", "--since", "1h", "-o", "json", "--nats", s.URL()}
		if code := Execute(ctx, args, nil, strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("got code %d: %s", code, errs.String())
		}
	})
	var last [50]uint64 // by component: of each only so many events are kept
	events := 0
	for more := 50; more > 0; events++ {
		if out.String() != "" {
			more--
		}
		i := events % len(last)
		e := event("echo-"+strconv.Itoa(i), strconv.Itoa(events)).HealthEvent
		e.ID, e.Time = "", time.Now()
		if last[i], err = b.PublishHealth(t.Context(), e, last[i]); err != nil {
			t.Fatal(err)
		}
	}
	end := `"reason":"` + strconv.Itoa(events-1) + `"`
	await(t, "the last event", func() bool { return strings.Contains(out.String(), end) })
	interrupt()
	follower.Wait()
	next := 0
	for line := range strings.Lines(out.String()) {
		var e bus.HealthEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Data.Reason != strconv.Itoa(next) {
			t.Fatalf("line %d: got %s (%v), want event %d", next, line, err, next)
		}
		next++
	}
	if next != events {
		t.Errorf("got %d events, want %d", next, events)
	}
}
