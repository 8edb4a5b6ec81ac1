package resilience

import (
	"sync"
	"sync/atomic"
)

// queue reports events in the order in which they were added, without a lock
// while the observer runs: whoever comes second leaves its events to the first.
type queue struct {
	waiting atomic.Bool

	mu     sync.Mutex
	events []Event
	busy   bool
}

func (q *queue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, e)
	q.waiting.Store(true)
}

// flush reports what waits. When nothing does it costs a load.
func (q *queue) flush(o Observer) {
	if !q.waiting.Load() || !q.begin() {
		return
	}
	done := false
	defer func() {
		if !done { // the observer panicked
			q.mu.Lock()
			defer q.mu.Unlock()
			q.busy = false
		}
	}()
	for {
		e, ok := q.next()
		if !ok {
			done = true
			return
		}
		o(e)
	}
}

func (q *queue) begin() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy {
		return false
	}
	q.busy = true
	return true
}

func (q *queue) next() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		q.busy = false
		q.waiting.Store(false)
		return Event{}, false
	}
	e := q.events[0]
	q.events = q.events[1:]
	return e, true
}
