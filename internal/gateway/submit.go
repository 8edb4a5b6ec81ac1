package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// An answer is a response whose body is written as it is: a result is JSON already.
type answer struct {
	Status            int
	ContentType       string `header:"Content-Type" hidden:"true"`
	Location          string `header:"Location" hidden:"true"`
	RetryAfter        string `header:"Retry-After" hidden:"true"`
	PreferenceApplied string `header:"Preference-Applied" hidden:"true"`
	Body              []byte
}

// States of a request that is not answered with its result.
const (
	statusPending   = "pending"
	statusAnswered  = "answered"
	statusCancelled = "cancelled"
)

// A Ticket is the body of a 202: where the request stands.
type Ticket struct {
	ID     string `json:"id" doc:"The request's id" example:"order-4711"`
	Agent  string `json:"agent" doc:"The agent's name" example:"echo"`
	Status string `json:"status" enum:"pending,answered,cancelled" doc:"pending: it is queued or being executed; answered: its result is there; cancelled: by this call"`
}

// A submission is a POST that was understood.
type submission struct {
	envelope bus.Envelope
	prefer   preference
	// named tells that the client chose the id, so that it may be there already.
	named bool
}

// submit is POST /v1/agents/{agent}/requests.
func (s *Server) submit(ctx context.Context, in *submitInput) (*answer, error) {
	a, err := s.accept(ctx, in)
	if err != nil {
		p := problemOf(err)
		s.metrics.refused(s.agents.label(in.Agent), p.kind)
		return nil, s.logged(ctx, p)
	}
	return a, nil
}

// accept takes a request on, and waits for its result if the caller wants to.
func (s *Server) accept(ctx context.Context, in *submitInput) (*answer, error) {
	sub, err := s.understand(ctx, in)
	if err != nil {
		return nil, err
	}
	e := &sub.envelope
	if sub.prefer.wait > 0 && e.ID == "" { // a waiter has to know what it waits for
		e.ID, e.FreshID = bus.NewID(), true
	}
	w := s.expect(e.Agent, e.ID, sub.prefer)
	defer w.end()
	if w.waits() {
		e.ReplyTo = s.replies.Subject(e.ID)
	}
	began := time.Now()
	p, err := s.place(ctx, sub)
	if err != nil {
		return nil, err
	}
	s.metrics.accepted(e.Agent, p, time.Since(began))
	if p.result == nil {
		if payload, ok := w.result(ctx, in.w, !p.joined); ok {
			return resultOf(payload, sub.prefer, e.Agent, p.id), nil
		}
	} else if sub.prefer.wait > 0 {
		return resultOf(p.result, sub.prefer, e.Agent, p.id), nil
	}
	return ticketOf(p, e.Agent, w, sub.prefer), nil
}

// understand checks everything a client sends, the cheap things first.
func (s *Server) understand(ctx context.Context, in *submitInput) (*submission, error) {
	who, err := s.access.admit(in.w, in.r)
	if err != nil {
		return nil, err
	}
	if err := s.rates.take(in.w.Header(), who.bucket); err != nil {
		return nil, err
	}
	if err := checkAgent(in.Agent); err != nil {
		return nil, err
	}
	limit := s.bodyLimit()
	if err := checkBody(in.r, limit); err != nil {
		return nil, err
	}
	sub := &submission{envelope: bus.Envelope{Agent: in.Agent, Client: who.name, Traceparent: traceContext(in.Traceparent)}}
	e := &sub.envelope
	if sub.prefer, err = parsePrefer(in.r.Header.Values("Prefer")); err != nil {
		return nil, err
	}
	if e.Lane, err = parseLane(in.Lane); err != nil {
		return nil, err
	}
	if e.Deadline, err = parseDeadline(in.Deadline); err != nil {
		return nil, err
	}
	key, err := parseKey(in.r.Header)
	if err != nil {
		return nil, err
	}
	if err := s.agents.known(ctx, in.Agent); err != nil {
		return nil, err
	}
	body, err := readBody(in.w, in.r, limit)
	if err != nil {
		return nil, err
	}
	if e.Request, err = decodeRequest(body); err != nil {
		return nil, badRequest(err)
	}
	if e.ID, err = chooseID(key, e.Request.ID); err != nil {
		return nil, err
	}
	e.Request.ID = "" // the subject says it
	sub.named = e.ID != ""
	return sub, nil
}

// bodyLimit is the largest body that can be accepted right now.
func (s *Server) bodyLimit() int64 {
	limit := int64(s.cfg.Gateway.MaxBody)
	if broker := s.bus.MaxPayload(); broker > 0 {
		limit = min(limit, broker)
	}
	return limit
}

// resultOf answers with a result as it is stored.
func resultOf(payload []byte, p preference, agent, id string) *answer {
	return &answer{
		Status: http.StatusOK, ContentType: "application/json", Body: payload,
		Location: location(agent, id), PreferenceApplied: p.applied(),
	}
}

// ticketOf answers that the request is accepted.
func ticketOf(p *placement, agent string, w wait, prefer preference) *answer {
	status := statusPending
	if p.result != nil {
		status = statusAnswered
	}
	a := ticket(agent, p.id, status)
	if w.waits() {
		a.PreferenceApplied = prefer.applied()
	}
	return a
}

func ticket(agent, id, status string) *answer {
	body, err := json.Marshal(Ticket{ID: id, Agent: agent, Status: status})
	if err != nil { // three strings
		body = []byte("{}")
	}
	return &answer{Status: http.StatusAccepted, ContentType: "application/json", Location: location(agent, id), Body: body}
}

func location(agent, id string) string { return "/v1/agents/" + agent + "/requests/" + id }

// logged logs a problem that is not the client's doing.
func (s *Server) logged(ctx context.Context, p *problemError) *problemError {
	if p.cause != nil && serverSide(p) != nil {
		about := []any{"kind", string(p.kind), "request_id", p.ID, "error", p.cause}
		if id := telemetry.TraceIDOf(ctx); id != "" {
			about = append(about, "trace_id", id)
		}
		s.log.Warn("a call failed", about...)
	}
	return p
}
