package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	healthRetry = 500 * time.Millisecond
	healthPull  = 30 * time.Second // how long one pull waits for events
)

// HealthFollow says where a follower of health events begins. The zero value: with what
// is published from now on.
type HealthFollow struct {
	// Last begins with the last event of each component.
	Last bool
	// After begins after that sequence; 0 does not.
	After uint64
	// Ready is called each time all that is stored has been told: at first, and after
	// each outage of the broker. nil: it is not.
	Ready func()
}

// FollowHealth tells f each health event once and in the order of the stream until ctx
// ends; then it returns nil. It survives outages of the broker, misses nothing
// meanwhile, and waits for a stream that is not there yet. f is called once at a time;
// while it works the next events wait. The error of options that contradict each other
// wraps [ErrInvalid].
func (b *Bus) FollowHealth(ctx context.Context, o HealthFollow, f func(StoredHealthEvent)) error {
	if o.Last && o.After > 0 {
		return fmt.Errorf("follow health: %w: begin with the last events or after a sequence, not both", ErrInvalid)
	}
	h := &healthFollower{bus: b, o: o, tell: f, last: o.After}
	h.status = b.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer b.nc.RemoveStatusListener(h.status)
	for ctx.Err() == nil {
		if b.Connected() {
			if err := h.follow(ctx); err != nil && ctx.Err() == nil {
				h.failed(err)
			}
		}
		timer := time.NewTimer(healthRetry)
		select {
		case <-ctx.Done():
		case <-h.status:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// A healthFollower follows the stream of the health events.
type healthFollower struct {
	bus     *Bus
	o       HealthFollow
	tell    func(StoredHealthEvent)
	status  chan nats.Status
	begun   bool
	absent  bool      // there was no stream at first, so that all in it is new
	last    uint64    // the sequence up to which all is told
	created time.Time // when the stream was made; zero: not known
	logged  bool      // that it does not work
}

// follow tells until something breaks.
func (h *healthFollower) follow(ctx context.Context) error {
	for len(h.status) > 0 {
		<-h.status
	}
	if err := h.begin(ctx); err != nil {
		return err
	}
	r, err := h.bus.newHealthReader(ctx, jetstream.DeliverByStartSequencePolicy, h.last+1)
	if err != nil {
		return err
	}
	defer r.close(ctx)
	if h.logged {
		h.logged = false
		h.bus.log.Info("health events are followed again")
	}
	behind := r.pending > 0
	if !behind {
		call(h.o.Ready)
	}
	for {
		_, err := r.read(ctx, scanBatch, healthPull, h.status, func(msg jetstream.Msg, m *jetstream.MsgMetadata) {
			h.last = m.Sequence.Stream
			if e, ok := h.bus.readHealth(msg); ok {
				h.tell(e)
			}
			if behind && m.NumPending == 0 {
				behind = false
				call(h.o.Ready)
			}
		})
		if err != nil {
			return err
		}
	}
}

// begin finds out where to go on.
func (h *healthFollower) begin(ctx context.Context) error {
	if h.o.Last && !h.begun {
		s, err := h.bus.readLastHealth(ctx)
		if err != nil {
			return err
		}
		h.begun, h.last, h.created = true, s.last, s.created
		for _, e := range s.events {
			h.tell(e)
		}
	}
	ask, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	stream, err := h.bus.js.Stream(ask, StreamHealth)
	if err != nil {
		h.absent = h.absent || errors.Is(err, jetstream.ErrStreamNotFound)
		return readError("follow "+StreamHealth, err)
	}
	info := stream.CachedInfo()
	switch {
	case !h.begun && h.absent: // and what the caller knows of is of another one
		h.last = 0
	case !h.begun && h.o.After == 0:
		h.last = info.State.LastSeq
	case h.begun && !info.Created.Equal(h.created):
		h.bus.log.Warn("the stream of the health events was made anew: it is read from its begin")
		h.last = 0
	case info.State.LastSeq < h.last:
		h.bus.log.Warn("the stream of the health events lost its end", "last", info.State.LastSeq, "expected", h.last)
		h.last = info.State.LastSeq
	}
	h.begun, h.created = true, info.Created
	return nil
}

func (h *healthFollower) failed(err error) {
	if !h.logged {
		h.bus.log.Warn("health events are not followed", "error", err)
	}
	h.logged = true
}
