package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Replies wakes those who wait for results in this process: one subscription for all
// of them, however many there are. Make it with [Bus.NewReplies].
type Replies struct {
	bus  *Bus
	name string
	sub  *nats.Subscription

	mu      sync.Mutex
	waiters map[string][]*Waiter // by request id
}

// NewReplies listens for the reply hints of the gateway replica called name, which
// must be one token of a subject and unique among the replicas.
func (b *Bus) NewReplies(name string) (*Replies, error) {
	if name == "" || strings.ContainsAny(name, ".*> \t\r\n") {
		return nil, fmt.Errorf("%w: gateway name %q must be one token of a subject", ErrInvalid, name)
	}
	r := &Replies{bus: b, name: name, waiters: make(map[string][]*Waiter)}
	sub, err := b.nc.Subscribe(ReplySubject(name, "*"), r.receive)
	if err != nil {
		return nil, fmt.Errorf("listen for results: %w", publishError(err))
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("listen for results: %w", err)
	}
	r.sub = sub
	return r, nil
}

// Subject is the reply subject to publish a request with.
func (r *Replies) Subject(id string) string { return ReplySubject(r.name, id) }

// Close stops listening. Waiters still waiting find their results by looking.
func (r *Replies) Close() {
	if err := r.sub.Unsubscribe(); err != nil {
		r.bus.log.Debug("stop listening for results", "error", err)
	}
}

// Waiting is how many waiters there are.
func (r *Replies) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, list := range r.waiters {
		n += len(list)
	}
	return n
}

func (r *Replies) receive(msg *nats.Msg) {
	id := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.waiters[id]
	if len(list) == 0 {
		return
	}
	result, err := DecodeResult(msg.Data)
	if err != nil || result.ID != id {
		return // not a hint of ours; the waiter looks for itself
	}
	for _, w := range list {
		if w.agent == result.Agent {
			select {
			case w.hint <- StoredResult{Result: result, Payload: msg.Data}:
			default:
			}
		}
	}
}

// A Waiter waits for one result. Close it when done.
type Waiter struct {
	replies   *Replies
	agent, id string
	hint      chan StoredResult
}

// Expect registers a waiter. Do it before publishing, so that no hint is missed.
func (r *Replies) Expect(agent, id string) *Waiter {
	w := &Waiter{replies: r, agent: agent, id: id, hint: make(chan StoredResult, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiters[id] = append(r.waiters[id], w)
	return w
}

// Close forgets the waiter.
func (w *Waiter) Close() {
	r := w.replies
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.waiters[w.id]
	for i := range list {
		if list[i] == w {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(r.waiters, w.id)
	} else {
		r.waiters[w.id] = list
	}
}

const (
	// lookHinted is how often a waiter looks into the stream though a hint should come.
	lookHinted = 5 * time.Second
	// lookJoined is the first pause of a waiter whose hint goes to another replica.
	lookJoined    = 25 * time.Millisecond
	maxLookJoined = time.Second
)

// Result waits for the result until ctx ends, then looks once more; [ErrNotFound]
// says that there is none yet. hinted says that the request was published with this
// replica's reply subject, so that a hint will come; otherwise the waiter looks into
// the results stream itself, ever less often. The stored fields of a hinted result
// are not set.
func (w *Waiter) Result(ctx context.Context, hinted bool) (StoredResult, error) {
	pause := lookJoined
	if hinted {
		pause = lookHinted
	}
	timer := time.NewTimer(jitter(pause))
	defer timer.Stop()
	for {
		select {
		case r := <-w.hint:
			return r, nil
		case <-timer.C:
			r, err := w.look(ctx)
			if err == nil {
				return r, nil
			}
			if !hinted {
				pause = min(pause*3/2, maxLookJoined)
			}
			timer.Reset(jitter(pause))
		case <-ctx.Done():
			return w.look(context.WithoutCancel(ctx))
		}
	}
}

func (w *Waiter) look(ctx context.Context) (StoredResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := w.replies.bus.Result(ctx, w.agent, w.id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		w.replies.bus.log.Debug("look for a result", "request_id", w.id, "error", err)
	}
	return r, err
}

// jitter spreads waiters that began together.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1) //nolint:gosec // not a secret
}
