package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"genesis/pkg/bus"
)

// Bounds of the table of events.
const (
	heldEvents  = 1000 // that are read before the first is printed, to see how wide the columns must be
	shortReason = 20   // a reason is not cut below that, whatever the terminal
	liveName    = 20   // the column of the components while nobody knows what will come
)

// An eventPrinter prints health events as they come: as JSON lines, or as a table whose
// columns fit the first ones.
type eventPrinter struct {
	w     io.Writer
	json  bool
	width int  // of the terminal; 0: it is none, and nothing is cut
	live  bool // each event is printed at once

	shown     int // events so far
	held      []bus.StoredHealthEvent
	titled    bool
	component int // the width of that column
	err       error
}

func newEventPrinter(w io.Writer, asJSON bool) *eventPrinter {
	return &eventPrinter{w: w, json: asJSON, width: terminalWidth(w)}
}

// show prints an event, or keeps it until flush.
func (p *eventPrinter) show(e bus.StoredHealthEvent) {
	p.shown++
	if p.json {
		p.keep(json.NewEncoder(p.w).Encode(e.HealthEvent)) // as package bus writes it, to the byte
		return
	}
	p.held = append(p.held, e)
	if p.live || len(p.held) == heldEvents {
		p.flush()
	}
}

// flush prints what is kept, below the titles.
func (p *eventPrinter) flush() {
	if p.json || len(p.held) == 0 && !p.live {
		return
	}
	if p.live && !p.titled {
		p.component = liveName
	}
	for _, e := range p.held {
		p.component = max(p.component, utf8.RuneCountInString(oneLine(e.Component.String())))
	}
	if !p.titled {
		p.titled = true
		p.line("TIME", "COMPONENT", "STATE", "WAS", "REASON")
	}
	for _, e := range p.held {
		p.line(eventTime(e.Time), e.Component.String(), string(e.Data.State), string(e.Data.Previous), e.Data.Reason)
	}
	p.held = p.held[:0]
}

func (p *eventPrinter) line(at, component, state, was, reason string) {
	text := fmt.Sprintf("%-19s  %-*s  %-9s  %-9s  ", at, p.component, oneLine(component), oneLine(state), orDash(oneLine(was)))
	reason = oneLine(reason)
	if p.width > 0 {
		reason = shorten(reason, max(shortReason, p.width-utf8.RuneCountInString(text)))
	}
	_, err := fmt.Fprintln(p.w, strings.TrimRight(text+reason, " "))
	p.keep(err)
}

// keep keeps the first error.
func (p *eventPrinter) keep(err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("print an event: %w", err)
	}
}

// eventTime is a time for people, by their clock.
func eventTime(t time.Time) string { return t.Local().Format(time.DateTime) }
