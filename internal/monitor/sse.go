package monitor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"genesis/internal/program"
	"genesis/pkg/bus"
)

// sseBeat is how often an idle stream says that it is there.
const sseBeat = 15 * time.Second

// streamEvents is GET /v1/events: health events as server-sent events, each a CloudEvent.
// The id of an event is its sequence; with Last-Event-ID, which browsers send by
// themselves, or the query after=SEQUENCE, what was missed comes first.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	after, err := strconv.ParseUint(text, 10, 64)
	if err != nil && text != "" {
		program.WriteProblem(w, http.StatusBadRequest, fmt.Sprintf("Last-Event-ID is %.40q: send the id of an event, a number", text))
		return
	}
	if r.Method == http.MethodHead { // it asks for the headers only, and its connection goes on
		streamHeaders(w)
		return
	}
	missed, events, cancel, err := s.feed.subscribe(after, text != "")
	if err != nil {
		w.Header().Set("Retry-After", "5")
		program.WriteProblem(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer cancel()
	streamHeaders(w)
	out := sseWriter{w, http.NewResponseController(w)}
	if out.comment("health events of genesis") != nil {
		return
	}
	for _, e := range missed {
		if out.event(e) != nil {
			return
		}
	}
	beat := time.NewTicker(sseBeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case e, open := <-events:
			if !open {
				return
			}
			err = out.event(e)
		case <-beat.C:
			err = out.comment("still here")
		}
		if err != nil {
			return
		}
	}
}

func streamHeaders(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
}

// An sseWriter writes server-sent events, each within a bound of time.
type sseWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w sseWriter) event(e bus.StoredHealthEvent) error {
	data, err := json.Marshal(e.HealthEvent)
	if err != nil {
		return err
	}
	id := ""
	if e.Sequence > 0 {
		id = fmt.Sprintf("id: %d\n", e.Sequence)
	}
	return w.write(id + "event: " + e.Type() + "\ndata: " + string(data) + "\n\n")
}

func (w sseWriter) comment(text string) error { return w.write(": " + text + "\n\n") }

func (w sseWriter) write(text string) error {
	if err := w.control.SetWriteDeadline(time.Now().Add(readTimeout)); err != nil {
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return w.control.Flush()
}
