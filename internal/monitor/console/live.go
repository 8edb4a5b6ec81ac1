package console

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// An update is what a reader is sent: the parts that differ from what it has.
type update struct {
	Build string            `json:"build"` // another one than the page's: load the page anew
	Title string            `json:"title"`
	State string            `json:"state"` // of the whole, as the icons are called
	Parts map[string]string `json:"parts"`
}

// serveLive keeps one reader up to date until it leaves, is too slow, or the console is
// closed. Each reader is written to by its own connection's goroutine, so that nobody
// waits for another.
func (c *Console) serveLive(w http.ResponseWriter, r *http.Request) {
	select {
	case c.seats <- struct{}{}:
		defer func() { <-c.seats }()
	default:
		refuse(w, "Too many readers are kept up to date already; the page can be loaded as often as you like.")
		return
	}
	select {
	case <-c.closed:
		refuse(w, "The monitor is stopping.")
		return
	default:
	}
	line := wire{to: w, control: http.NewResponseController(w), patience: c.patience}
	if err := line.open(); err != nil {
		c.o.Log.Error("the page cannot be kept up to date: the server's writers must allow flushing and deadlines", "error", err)
		http.Error(w, "This server cannot send events.", http.StatusInternalServerError)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	if err := c.keepUp(r.Context(), line); err != nil && r.Context().Err() == nil {
		c.o.Log.Debug("a reader of the page is let go", "error", err)
	}
}

// keepUp sends one edition after another. It returns nil when the reader left or the
// console was closed.
func (c *Console) keepUp(ctx context.Context, line wire) error {
	has := make([]string, len(parts()))
	for {
		e, err := c.edition(ctx)
		if err != nil {
			return err
		}
		if err := line.send(difference(e, has)); err != nil {
			return err
		}
		copy(has, e.parts)
		if !c.pause(ctx, pace, nil) || !c.pause(ctx, beat-pace, e.changed) {
			return nil
		}
	}
}

// pause waits for a time to pass, or until woken; it returns false when all is over.
func (c *Console) pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
		return false
	case <-c.closed:
		return false
	}
	return true
}

// difference is what somebody who has these parts lacks of an edition.
func difference(e *edition, has []string) update {
	u := update{Build: e.sheet.Build, Title: e.sheet.Title(), State: e.sheet.Status.Class(), Parts: map[string]string{}}
	for i, id := range parts() {
		if e.parts[i] != has[i] {
			u.Parts[id] = e.parts[i]
		}
	}
	return u
}

// refuse sends a reader away for a while. The page asks again by itself.
func refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "10")
	http.Error(w, why, http.StatusServiceUnavailable)
}

// A wire writes server-sent events to one reader.
type wire struct {
	to       http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

func (l wire) open() error {
	if err := l.control.SetWriteDeadline(time.Now().Add(l.patience)); err != nil {
		return err
	}
	h := l.to.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies would hold events back
	return l.control.Flush()
}

// send writes one event. JSON has no line break of its own, so that one line carries it
// whatever the texts hold.
func (l wire) send(u update) error {
	var b bytes.Buffer
	b.WriteString("data: ")
	text := json.NewEncoder(&b)
	text.SetEscapeHTML(false) // it is read as data, never as a page
	if err := text.Encode(u); err != nil {
		return err
	}
	b.WriteByte('\n')
	if err := l.control.SetWriteDeadline(time.Now().Add(l.patience)); err != nil {
		return err
	}
	if _, err := l.to.Write(b.Bytes()); err != nil {
		return err
	}
	return l.control.Flush()
}
