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
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// pace is the least time between two changes sent to one reader.
	pace = time.Second
	// beat is how long the page stays as it is when nothing changes: ages are told anew,
	// and the reader knows that the connection is alive.
	beat = 5 * time.Second
	// patience is how long a reader may take to receive what is sent to it.
	patience = 10 * time.Second
	// seats is the default of Options.MaxLive.
	seats = 100
)

// Options are what a console is made of. View is needed.
type Options struct {
	// View is asked for what is to be shown, by one goroutine at a time. It must not block.
	View func() View
	// Changed returns a channel that is closed when View has something new to say: the next
	// time after the call. It must not block. Nil: the page is renewed every 5 s only.
	Changed func() <-chan struct{}
	// Version is what the page says it is.
	Version string
	// MaxLive is how many readers are kept up to date at a time; others see the page as it
	// was when they loaded it, and try again. 0: 100.
	MaxLive int
	// Log receives what cannot be rendered; nil discards it.
	Log *slog.Logger
}

// A Console serves the page. Make it with [New]. It is safe for use by many goroutines.
type Console struct {
	o         Options
	templates *template.Template
	assets    *assets

	turn chan struct{} // held by who renders
	last *edition      // kept by who has the turn

	seats    chan struct{}
	closing  sync.Once
	closed   chan struct{}
	patience time.Duration
}

// New makes a console. An error is a fault of the options or of the embedded page.
func New(o Options) (*Console, error) {
	if o.View == nil {
		return nil, errors.New("make the console: Options.View is nil: give the function that tells what to show")
	}
	if o.Changed == nil {
		o.Changed = func() <-chan struct{} { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxLive <= 0 {
		o.MaxLive = seats
	}
	templates, err := parseTemplates()
	if err != nil {
		return nil, err
	}
	assets, err := readAssets(o.Version)
	if err != nil {
		return nil, err
	}
	return &Console{
		o: o, templates: templates, assets: assets, patience: patience,
		turn: make(chan struct{}, 1), seats: make(chan struct{}, o.MaxLive), closed: make(chan struct{}),
	}, nil
}

// Handler serves the page at /, its assets below /assets/, and its changes at /live.
// It may be mounted below a prefix that is stripped. The server's writers must allow
// [http.ResponseController] to flush and to set deadlines.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.servePage)
	mux.HandleFunc("GET /live", c.serveLive)
	mux.HandleFunc("GET /assets/{name}", c.assets.serve)
	return secure(mux)
}

// Close ends all live connections and lets no new one in. It does not wait: the server
// does, for their handlers; give Close to [http.Server.RegisterOnShutdown].
func (c *Console) Close() { c.closing.Do(func() { close(c.closed) }) }

func (c *Console) servePage(w http.ResponseWriter, r *http.Request) {
	e, err := c.edition(r.Context())
	if err == nil {
		var page []byte
		if page, err = c.render("page", e.sheet); err == nil {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = w.Write(page) // a reader who has gone is no trouble
			return
		}
	}
	c.fail(w, r, err)
}

// fail answers when there is nothing to show, which only a fault of this package can do,
// or a reader who has gone.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		c.o.Log.Error("the page cannot be shown", "error", err)
	}
	http.Error(w, "The page cannot be shown; the log of the monitor says why.", http.StatusInternalServerError)
}

// secure sets the headers that keep a page from doing anything but being read.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
