package monitor

import (
	"context"
	"time"

	"genesis/pkg/bus"
)

// rescuePatience bounds the look after one round.
const rescuePatience = 30 * time.Second

// rescue makes dead letters of requests that no worker would get again, after each round,
// until ctx ends.
func (s *Server) rescue(ctx context.Context) error {
	rescuer := s.bus.NewRescuer()
	for {
		select {
		case <-ctx.Done():
			return nil
		case survey := <-s.surveys:
			s.rescueFrom(ctx, rescuer, survey)
		}
	}
}

func (s *Server) rescueFrom(ctx context.Context, rescuer *bus.Rescuer, survey bus.Survey) {
	var rescued []bus.Rescued
	_ = s.rescuing.Do(ctx, func(ctx context.Context) (err error) { // it logs
		ctx, cancel := context.WithTimeout(ctx, rescuePatience)
		defer cancel()
		rescued, err = rescuer.Look(ctx, survey)
		return err
	})
	for _, r := range rescued {
		args := []any{"agent", r.Agent, "request_id", r.ID, "sequence", r.Sequence, "reason", r.Reason}
		if r.Err != nil {
			s.log.Error("a request was left behind, and could not be made a dead letter", append(args, "error", r.Err)...)
			continue
		}
		s.metrics.rescued.WithLabelValues(r.Agent).Inc()
		s.log.Warn("a request was left behind, and is settled now: no worker would have got it again", args...)
	}
}

// offer hands a survey to the rescue, in place of one that it has not looked at yet.
func (s *Server) offer(survey bus.Survey) {
	select {
	case <-s.surveys:
	default:
	}
	select {
	case s.surveys <- survey:
	default:
	}
}
