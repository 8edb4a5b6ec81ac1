package gateway

import (
	"context"
	"errors"

	"genesis/pkg/bus"
)

// cancel is DELETE /v1/agents/{agent}/requests/{id}.
func (s *Server) cancel(ctx context.Context, in *cancelInput) (*answer, error) {
	who, err := s.access.admit(in.w, in.r)
	if err != nil {
		return nil, err
	}
	if err := checkAgent(in.Agent); err != nil {
		return nil, err
	}
	if err := checkID(in.ID); err != nil {
		return nil, err
	}
	ask, stop := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer stop()
	err = s.bus.Cancel(ask, in.Agent, in.ID, who.name)
	if errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrNotFound) {
		if unknown := s.agents.known(ask, in.Agent); unknown != nil { // then it has no queue to look into
			err = unknown
		}
	}
	if err != nil {
		return nil, s.logged(ctx, problemOf(about(err, in.ID)))
	}
	return ticket(in.Agent, in.ID, statusCancelled), nil
}
