package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"genesis/pkg/bus"
)

const (
	// askPatience bounds one question to the broker.
	askPatience = 5 * time.Second
	// maxRounds bounds how often a request may change between two looks at it.
	maxRounds = 8
)

// A placement is where a request stands once it is accepted.
type placement struct {
	id string
	// joined tells that the request was there before: published by an earlier call,
	// perhaps at another replica.
	joined bool
	// result is there already.
	result []byte
}

// place makes sure that the request is in its queue or answered, exactly once under its
// id, and whatever other replicas do at the same time. Only the queue and the stored
// results tell; both are read, and the queue refuses a second message of one id.
//
// A client that goes away meanwhile changes nothing: what was begun is finished.
func (s *Server) place(ctx context.Context, sub *submission) (*placement, error) {
	ctx = context.WithoutCancel(ctx)
	if !sub.named {
		receipt, err := s.publish(ctx, sub)
		if err != nil {
			return nil, s.publishProblem(ctx, sub, receipt.ID, err)
		}
		return &placement{id: receipt.ID}, nil
	}
	id := sub.envelope.ID
	for range maxRounds {
		if p, err := s.join(ctx, sub); p != nil || err != nil {
			return p, err
		}
		receipt, err := s.publish(ctx, sub)
		switch {
		case err == nil:
			return s.placed(ctx, sub, receipt)
		case !errors.Is(err, bus.ErrExists):
			return nil, s.publishProblem(ctx, sub, id, err)
		}
	}
	return nil, refuse(kindUnavailable, "request %s changes all the time: repeat the call", id).about(id)
}

// publish hands the request to the bus.
func (s *Server) publish(ctx context.Context, sub *submission) (receipt bus.Receipt, err error) {
	ctx, end := s.tracing.Publishing(ctx, &sub.envelope)
	_ = s.metrics.publish.Do(ctx, func(ctx context.Context) error {
		receipt, err = s.bus.Publish(ctx, sub.envelope)
		return serverSide(err)
	})
	end(receipt, err)
	return receipt, err
}

// serverSide is err, or nil when it says something of the request only, or that the
// queue is full: then publishing did what it should.
func serverSide(err error) error {
	if err == nil || errors.Is(err, bus.ErrFull) || problemOf(err).Status < http.StatusInternalServerError {
		return nil
	}
	return err
}

// join looks for an earlier request of the same id: answered, or in one of the lanes.
// It returns nil when there is none.
func (s *Server) join(ctx context.Context, sub *submission) (*placement, error) {
	agent, id := sub.envelope.Agent, sub.envelope.ID
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	r, err := s.bus.Result(ctx, agent, id)
	if err == nil {
		return sub.joins(&placement{id: id, joined: true, result: r.Payload}, r.Origin.Digest)
	}
	if errors.Is(err, bus.ErrNotFound) {
		var p bus.PendingRequest
		if p, err = s.bus.Pending(ctx, agent, id); err == nil {
			return sub.joins(&placement{id: id, joined: true}, p.Digest)
		}
	}
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	return nil, s.publishProblem(ctx, sub, id, err)
}

// placed looks once more for a result after the request was published: when another
// one of the same id was answered just before, the queue took this one, and the
// worker will find it to be a duplicate.
func (s *Server) placed(ctx context.Context, sub *submission, receipt bus.Receipt) (*placement, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	fresh := &placement{id: receipt.ID}
	r, err := s.bus.Result(ctx, receipt.Agent, receipt.ID)
	if err != nil { // none; or nobody can tell, but the request is accepted
		return fresh, nil
	}
	fresh.result = r.Payload
	if r.Origin.Stream == receipt.Stream && r.Origin.Sequence == receipt.Sequence {
		return fresh, nil
	}
	fresh.joined = true
	return sub.joins(fresh, r.Origin.Digest)
}

// joins lets a call join a request with the digest, if it is the same request.
func (sub *submission) joins(p *placement, digest string) (*placement, error) {
	switch digest {
	case sub.envelope.Request.Digest():
		return p, nil
	case "":
		return nil, refuse(kindConflict, "the id %s is taken by a request that cannot be compared with this one (it was malformed, or is older than this version): use another id", p.id).about(p.id)
	}
	return nil, refuse(kindReused, "the key %s was used for a request with another body: a repeated call has to send the same body, a new request needs a new key", p.id).about(p.id)
}

// publishProblem says what a failed publish means for the client.
func (s *Server) publishProblem(ctx context.Context, sub *submission, id string, err error) error {
	agent := sub.envelope.Agent
	switch {
	case errors.Is(err, bus.ErrUnavailable):
		detail := "the message bus cannot be reached: come back later"
		if id != "" {
			detail = fmt.Sprintf("the message bus did not confirm the request, so it is not known whether it was stored: repeat the call with the header `Idempotency-Key: %s`, then it is stored once at most", id)
		}
		return refuse(kindUnavailable, "%s", detail).about(id).because(err)
	case errors.Is(err, bus.ErrUnknownAgent):
		list, refreshErr := s.agents.refresh(ctx)
		if refreshErr != nil || list.has(agent) {
			return refuse(kindUnavailable, "the queue of agent %s is not there right now: come back later", agent).about(id).because(err)
		}
		return unknownAgent(agent, list.sorted).because(err)
	case errors.Is(err, bus.ErrFull):
		p := problemOf(err)
		if sub.named {
			p = p.about(id)
		}
		return p
	}
	return problemOf(err)
}
