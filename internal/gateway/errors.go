package gateway

import (
	"errors"
	"net/http"
	"time"

	"genesis/pkg/bus"
)

// A kind of problem: the end of its type, and the outcome in the metrics.
type kind string

const (
	kindInvalid        kind = "invalid_request"
	kindUnauthorized   kind = "unauthorized"
	kindForbidden      kind = "forbidden"
	kindUnknownAgent   kind = "unknown_agent"
	kindUnknownRequest kind = "unknown_request"
	kindUnknownPath    kind = "unknown_path"
	kindMethod         kind = "method_not_allowed"
	kindSlow           kind = "too_slow"
	kindConflict       kind = "id_conflict"
	kindAnswered       kind = "already_answered"
	kindTooLarge       kind = "too_large"
	kindMediaType      kind = "wrong_content_type"
	kindReused         kind = "key_reused"
	kindRate           kind = "rate_limited"
	kindInternal       kind = "internal"
	kindFull           kind = "queue_full"
	kindUnavailable    kind = "unavailable"
)

// row is what HTTP makes of a kind.
type row struct {
	kind   kind
	status int
	title  string
	// retry is when to come back, if the problem passes by itself.
	retry time.Duration
	// is the error of the bus that means this.
	is error
	// detail is told of an error of the bus; its own text is for the log.
	detail string
}

// rows is the one table of what can go wrong.
func rows() []row {
	return []row{
		{kindInvalid, http.StatusBadRequest, "The request is not valid", 0, bus.ErrInvalid, ""},
		{kindUnauthorized, http.StatusUnauthorized, "An API key is needed", 0, nil, ""},
		{kindForbidden, http.StatusForbidden, "The call is not allowed from there", 0, nil, ""},
		{kindUnknownAgent, http.StatusNotFound, "Unknown agent", 0, bus.ErrUnknownAgent, "there is no such agent: GET /v1/agents lists them"},
		{kindUnknownRequest, http.StatusNotFound, "Unknown request", 0, bus.ErrNotFound, "there is no such request, or its result is older than 24 hours"},
		{kindUnknownPath, http.StatusNotFound, "Unknown path", 0, nil, ""},
		{kindMethod, http.StatusMethodNotAllowed, "Method not allowed", 0, nil, ""},
		{kindSlow, http.StatusRequestTimeout, "The request came too slowly", 0, nil, ""},
		{kindConflict, http.StatusConflict, "The id is taken", 0, nil, ""},
		{kindAnswered, http.StatusConflict, "The request is answered", 0, bus.ErrExists, "the request is answered already: GET it"},
		{kindTooLarge, http.StatusRequestEntityTooLarge, "The request is too large", 0, bus.ErrTooLarge, "the message bus does not take a request of this size: send less, or a reference to it"},
		{kindMediaType, http.StatusUnsupportedMediaType, "Wrong content type", 0, nil, ""},
		{kindReused, http.StatusUnprocessableEntity, "The key was used for another request", 0, nil, ""},
		{kindRate, http.StatusTooManyRequests, "Too many requests", 0, nil, ""},
		{kindInternal, http.StatusInternalServerError, "Internal error", 0, nil, "an error of the gateway: its log tells more"},
		{kindFull, http.StatusServiceUnavailable, "The agent's queue is full", 2 * time.Second, bus.ErrFull, "as many requests of this agent wait as may: nothing was stored, come back later"},
		{kindUnavailable, http.StatusServiceUnavailable, "The message bus is unavailable", 2 * time.Second, bus.ErrUnavailable, "the message bus cannot be reached: nothing is known of the request right now, come back later"},
	}
}

func rowOf(k kind) row {
	for _, r := range rows() {
		if r.kind == k {
			return r
		}
	}
	return rowOf(kindInternal)
}

// problemOf turns any error into what a client is told.
func problemOf(err error) *problemError {
	if p, ok := errors.AsType[*problemError](err); ok {
		return p
	}
	if m, ok := errors.AsType[*bus.MalformedError](err); ok {
		return refuse(kindInvalid, "%s", m.Reason).because(err)
	}
	for _, r := range rows() {
		if r.is != nil && errors.Is(err, r.is) {
			if r.detail == "" {
				return refuse(r.kind, "%s", err).because(err)
			}
			return refuse(r.kind, "%s", r.detail).because(err)
		}
	}
	return refuse(kindInternal, "%s", rowOf(kindInternal).detail).because(err)
}
