package gateway

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"genesis/pkg/bus"
)

// exchange gives a handler the request and the response as net/http has them: for
// fields that may come several times, and for a body that is read by our own rules.
type exchange struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve is called by huma before the handler.
func (x *exchange) Resolve(ctx huma.Context) []error {
	x.r, x.w = humago.Unwrap(ctx)
	return nil
}

// submitInput are the parameters of POST. Huma describes and reads them; what they may
// be is checked here, so that a client is told in words.
type submitInput struct {
	exchange
	Agent       string `path:"agent" pattern:"^[a-z][a-z0-9-]{0,31}$" doc:"Name of the agent" example:"echo"`
	Lane        string `query:"lane" enum:"interactive,batch" doc:"Queue; interactive when left out"`
	Key         string `header:"Idempotency-Key" doc:"Id of the request, chosen by the client, bare or in quotes: repeating the call with the same key and body is safe and joins the first one" example:"order-4711"`
	Deadline    string `header:"Genesis-Deadline" format:"date-time" doc:"When the answer is no longer wanted; past it the request is not executed"`
	Prefer      string `header:"Prefer" doc:"wait=N (RFC 7240) waits up to N seconds for the result, at most 300" example:"wait=10"`
	Traceparent string `header:"Traceparent" doc:"W3C trace context, passed on"`
}

// cancelInput are the parameters of DELETE.
type cancelInput struct {
	exchange
	Agent string `path:"agent" pattern:"^[a-z][a-z0-9-]{0,31}$" doc:"Name of the agent" example:"echo"`
	ID    string `path:"id" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Id of the request" example:"order-4711"`
}

// lookupInput are the parameters of GET.
type lookupInput struct {
	exchange
	Agent  string `path:"agent" pattern:"^[a-z][a-z0-9-]{0,31}$" doc:"Name of the agent" example:"echo"`
	ID     string `path:"id" pattern:"^[A-Za-z0-9_-]{1,64}$" doc:"Id of the request" example:"order-4711"`
	Prefer string `header:"Prefer" doc:"wait=N (RFC 7240) waits up to N seconds for the result, at most 300" example:"wait=10"`
}

// checkAgent refuses what cannot be an agent's name.
func checkAgent(name string) error {
	if err := bus.ValidAgent(name); err != nil {
		return refuse(kindInvalid, "in the path: %s", plain(err))
	}
	return nil
}

// checkID refuses what cannot be a request's id.
func checkID(id string) error {
	if err := bus.ValidID(id); err != nil {
		return refuse(kindInvalid, "in the path: %s", plain(err))
	}
	return nil
}

// plain is the text of an error of the bus without the sentinel it wraps.
func plain(err error) string {
	return strings.TrimPrefix(err.Error(), bus.ErrInvalid.Error()+": ")
}

// parseKey reads the Idempotency-Key: a structured string in quotes, as the draft has
// it, or bare, as most write it.
func parseKey(h http.Header) (string, error) {
	fields := slices.Compact(slices.Clone(h.Values("Idempotency-Key")))
	switch len(fields) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", refuse(kindInvalid, "header Idempotency-Key is there %d times with different values: send one", len(fields))
	}
	key := unquote(strings.TrimSpace(fields[0]))
	if err := bus.ValidID(key); err != nil {
		return "", refuse(kindInvalid, "header Idempotency-Key: %s", plain(err))
	}
	return key, nil
}

// chooseID is the id of a request: that of the header, else that of the body, else none.
func chooseID(key, bodyID string) (string, error) {
	switch {
	case key == "":
		return bodyID, nil
	case bodyID != "" && bodyID != key:
		return "", refuse(kindInvalid, `the body's "id" is %s and header Idempotency-Key is %s: send one of them, or the same`, quote(bodyID), quote(key)).about(key)
	}
	return key, nil
}

func parseLane(text string) (bus.Lane, error) {
	lane, err := bus.ParseLane(text)
	if err != nil {
		return "", refuse(kindInvalid, "query lane: unknown lane %s: use interactive or batch", quote(text))
	}
	return lane, nil
}

func parseDeadline(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, refuse(kindInvalid, "header %s is %s: use RFC 3339, such as 2026-01-02T15:04:05Z", bus.HeaderDeadline, quote(text))
	}
	return at, nil
}

// traceContext is a W3C traceparent, or nothing: the standard says to ignore a bad one.
func traceContext(text string) string {
	parts := strings.Split(strings.TrimSpace(text), "-")
	if len(parts) < 4 || len(text) > 64 {
		return ""
	}
	for i, length := range []int{2, 32, 16, 2} {
		if len(parts[i]) != length || strings.Trim(parts[i], "0123456789abcdef") != "" {
			return ""
		}
	}
	if parts[0] == "ff" || strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return ""
	}
	return strings.TrimSpace(text)
}

// badRequest turns what decodeRequest says into a problem.
func badRequest(err error) error {
	if p, ok := errors.AsType[*problemError](err); ok {
		return p
	}
	return refuse(kindInvalid, "%s", plain(err))
}
