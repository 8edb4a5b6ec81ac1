package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"
)

const typeProblem = "application/problem+json"

// A Problem is the body of every error (RFC 9457).
type Problem struct {
	Type   string `json:"type" doc:"What kind of problem it is, for programs: urn:genesis:problem:KIND" example:"urn:genesis:problem:invalid_request"`
	Title  string `json:"title" doc:"The kind of problem, for people"`
	Status int    `json:"status" doc:"The HTTP status"`
	Detail string `json:"detail" doc:"What is wrong, where, and what to do"`
	ID     string `json:"id,omitempty" doc:"The id of the request it is about"`
}

// A problemError is a problem on its way through the package. Written as JSON it is
// the Problem.
type problemError struct {
	Problem

	kind  kind
	retry time.Duration // 0: no Retry-After
	cause error         // for the log; clients do not see it
}

// refuse makes a problem. The detail says what is wrong, where, and what to do.
func refuse(k kind, format string, args ...any) *problemError {
	row := rowOf(k)
	return &problemError{
		Problem: Problem{
			Type: "urn:genesis:problem:" + string(k), Title: row.title, Status: row.status,
			Detail: fmt.Sprintf(format, args...),
		},
		kind: k, retry: row.retry,
	}
}

// about names the request.
func (p *problemError) about(id string) *problemError {
	p.ID = id
	return p
}

// because keeps the error behind the problem for the log.
func (p *problemError) because(err error) *problemError {
	p.cause = err
	return p
}

// after says when to come back.
func (p *problemError) after(d time.Duration) *problemError {
	p.retry = d
	return p
}

// Error is the detail.
func (p *problemError) Error() string { return p.Detail }

// Unwrap is the error behind the problem.
func (p *problemError) Unwrap() error { return p.cause }

// GetStatus makes it an error that huma writes as it is.
func (p *problemError) GetStatus() int { return p.Status }

// ContentType makes huma write it as a problem.
func (p *problemError) ContentType(string) string { return typeProblem }

// GetHeaders are the header fields that go with it.
func (p *problemError) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", wholeSeconds(p.retry))
	}
	if p.kind == kindTooLarge {
		h.Set("Connection", "close") // or net/http would read the rest of the body first
	}
	return h
}

// write answers with the problem where huma does not.
func (p *problemError) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", typeProblem)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever has gone needs no answer
}

// wholeSeconds rounds up: who comes back too early is refused again.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}
