package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"genesis/pkg/bus"
)

// errDraining is the cause of the end of every request's context when the gateway
// shuts down: who waits is sent away, to ask again at another replica.
var errDraining = errors.New("the gateway is draining")

// waiters counts who waits for a result. Beyond max nobody is refused, because a
// request that can be accepted must be: the caller only does not get to wait.
type waiters struct {
	max int

	mu    sync.Mutex
	n     int
	empty chan struct{} // closed when the last one leaves, once somebody asked for it
}

// enter reports whether the caller may wait; it calls leave afterwards.
func (w *waiters) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n >= w.max {
		return false
	}
	w.n++
	return true
}

func (w *waiters) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n--; w.n == 0 && w.empty != nil {
		close(w.empty)
		w.empty = nil
	}
}

func (w *waiters) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// idle is closed as soon as nobody waits.
func (w *waiters) idle() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	idle := make(chan struct{})
	if w.n == 0 {
		close(idle)
	} else {
		w.empty = idle
	}
	return idle
}

// A wait is one caller's place among those who wait. The zero value does not wait.
type wait struct {
	waiter *bus.Waiter
	limit  time.Duration
	leave  func()
}

// expect takes a place for a caller, if it wants to wait and may. It comes before the
// request is published, so that no hint is missed. The caller calls end.
func (s *Server) expect(agent, id string, p preference) wait {
	if p.wait <= 0 || !s.waiters.enter() {
		return wait{}
	}
	return wait{waiter: s.replies.Expect(agent, id), limit: p.wait, leave: s.waiters.leave}
}

func (w wait) waits() bool { return w.waiter != nil }

func (w wait) end() {
	if w.waits() {
		w.waiter.Close()
		w.leave()
	}
}

// result waits. It returns false when the time has passed, the caller has gone, or the
// gateway drains: then the request goes on without it. hinted is as in
// [bus.Waiter.Result].
func (w wait) result(ctx context.Context, rw http.ResponseWriter, hinted bool) ([]byte, bool) {
	if !w.waits() {
		return nil, false
	}
	// The time to read a request is over; without this it would end the wait as well.
	_ = http.NewResponseController(rw).SetReadDeadline(time.Time{}) // what cannot do it, has none
	ctx, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	r, err := w.waiter.Result(ctx, hinted)
	return r.Payload, err == nil
}
