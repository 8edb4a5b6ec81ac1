package gateway

import (
	"context"
	"errors"

	"genesis/pkg/bus"
)

// lookup is GET /v1/agents/{agent}/requests/{id}.
func (s *Server) lookup(ctx context.Context, in *lookupInput) (*answer, error) {
	a, err := s.find(ctx, in)
	if err != nil {
		return nil, s.logged(ctx, problemOf(err))
	}
	return a, nil
}

func (s *Server) find(ctx context.Context, in *lookupInput) (*answer, error) {
	if _, err := s.access.admit(in.w, in.r); err != nil {
		return nil, err
	}
	if err := checkAgent(in.Agent); err != nil {
		return nil, err
	}
	if err := checkID(in.ID); err != nil {
		return nil, err
	}
	prefer, err := parsePrefer(in.r.Header.Values("Prefer"))
	if err != nil {
		return nil, err
	}
	w := s.expect(in.Agent, in.ID, prefer)
	defer w.end()
	payload, err := s.stands(ctx, in.Agent, in.ID)
	if err != nil {
		return nil, err
	}
	if payload == nil {
		payload, _ = w.result(ctx, in.w, false)
	}
	if payload != nil {
		return resultOf(payload, prefer, "", in.ID).without(), nil
	}
	a := ticket(in.Agent, in.ID, statusPending).without()
	a.RetryAfter = "1"
	if w.waits() {
		a.PreferenceApplied = prefer.applied()
	}
	return a, nil
}

// without leaves the location out: it is where the client is.
func (a *answer) without() *answer {
	a.Location = ""
	return a
}

// stands says where a request stands: its result, or nil while it is pending. It looks
// for the result a second time, because a request that is settled between two looks
// is missed by both.
func (s *Server) stands(ctx context.Context, agent, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	r, err := s.bus.Result(ctx, agent, id)
	if err == nil || !errors.Is(err, bus.ErrNotFound) {
		return r.Payload, about(err, id)
	}
	if err := s.agents.known(ctx, agent); err != nil {
		return nil, err
	}
	_, err = s.bus.Pending(ctx, agent, id)
	if err == nil || !errors.Is(err, bus.ErrNotFound) {
		return nil, about(err, id)
	}
	r, err = s.bus.Result(ctx, agent, id)
	return r.Payload, about(err, id)
}

// about names the request in an error.
func about(err error, id string) error {
	if err == nil {
		return nil
	}
	return problemOf(err).about(id)
}
