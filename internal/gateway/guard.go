package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"genesis/internal/telemetry"
)

// writeTimeout is how long a client may take to read its response. It begins with the
// first byte, so that it does not count the wait for a result.
const writeTimeout = 30 * time.Second

// guard stands before every route: it refuses what a foreign web page makes a browser
// send, turns a panic into a problem, and counts.
func (s *Server) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, ctx := &response{ResponseWriter: rw}, r.Context()
		defer func() {
			cause := recover()
			if cause != nil && !errors.Is(asError(cause), http.ErrAbortHandler) {
				s.log.Error("a handler panicked", "route", r.Pattern, "panic", asError(cause), "trace_id", telemetry.TraceIDOf(ctx), "stack", string(debug.Stack()))
				if w.status == 0 {
					refuse(kindInternal, "%s", rowOf(kindInternal).detail).write(w)
					cause = nil
				}
			}
			s.metrics.responded(r.Pattern, w.status)
			if cause != nil {
				panic(http.ErrAbortHandler) // half a response was sent: end the connection
			}
		}()
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if err := crossOrigin.Check(r); err != nil {
			refuse(kindForbidden, "a web page of another origin may not change anything here: call the gateway from a program, or from its own origin").because(err).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func asError(v any) error {
	if err, ok := v.(error); ok {
		return err
	}
	return fmt.Errorf("%v", v)
}

// response remembers the status, and bounds the time to write the response.
type response struct {
	http.ResponseWriter
	status int
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader starts the clock of writeTimeout.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTimeout)) // what cannot do it, has none
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// unrouted answers calls of a path or a method that there is not.
func unrouted(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(probe); pattern != "" && pattern != "/" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			refuse(kindUnknownPath, "there is nothing at %s: GET /openapi.json describes what there is", quote(r.URL.Path)).write(w)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse(kindMethod, "%s does not go with %s: use %s", quote(r.Method), quote(r.URL.Path), strings.Join(allowed, " or ")).write(w)
	}
}
