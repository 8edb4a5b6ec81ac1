package monitor

import (
	"errors"
	"slices"
	"sync"

	"genesis/pkg/bus"
)

// Bounds of the feed.
const (
	maxKept        = 1000 // events that a late subscriber can have
	maxSubscribers = 200
	maxBehind      = 100 // events that wait for one subscriber; then it is dropped
)

var errSubscribers = errors.New("too many subscribers: come back later")

// A feed keeps the last health events and hands new ones to subscribers.
type feed struct {
	mu          sync.Mutex
	events      []bus.StoredHealthEvent // the oldest first
	subscribers map[chan bus.StoredHealthEvent]struct{}
	closed      bool
}

func newFeed() *feed { return &feed{subscribers: map[chan bus.StoredHealthEvent]struct{}{}} }

// add takes an event. One that was told before it was stored is only noted.
func (f *feed) add(e bus.StoredHealthEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.events) - 1; i >= 0; i-- {
		if f.events[i].ID == e.ID {
			f.events[i].Sequence = max(f.events[i].Sequence, e.Sequence)
			return
		}
	}
	at := len(f.events)
	for e.Sequence > 0 && at > 0 && f.events[at-1].Sequence > e.Sequence {
		at--
	}
	if at < len(f.events) { // an old one, of which nobody needs to be told
		f.events = keepLast(slices.Insert(f.events, at, e), maxKept)
		return
	}
	f.events = keepLast(append(f.events, e), maxKept)
	for ch := range f.subscribers {
		select {
		case ch <- e:
		default: // it does not read: it may come again, and say where it was
			delete(f.subscribers, ch)
			close(ch)
		}
	}
}

// last are the last events, the newest first, at most n.
func (f *feed) last(n int) []bus.StoredHealthEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(n, len(f.events))
	out := make([]bus.StoredHealthEvent, 0, n)
	for i := len(f.events) - 1; len(out) < n; i-- {
		out = append(out, f.events[i])
	}
	return out
}

// subscribe returns the kept events after a sequence, or none without one, and a
// channel of those that follow. It is closed when the subscriber is too slow, or the
// feed ends. Call cancel when done.
func (f *feed) subscribe(after uint64, resume bool) (missed []bus.StoredHealthEvent, events <-chan bus.StoredHealthEvent, cancel func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.subscribers) >= maxSubscribers {
		return nil, nil, nil, errSubscribers
	}
	if resume {
		for _, e := range f.events {
			if e.Sequence > after || e.Sequence == 0 {
				missed = append(missed, e)
			}
		}
	}
	ch := make(chan bus.StoredHealthEvent, maxBehind)
	f.subscribers[ch] = struct{}{}
	return missed, ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if _, there := f.subscribers[ch]; there {
			delete(f.subscribers, ch)
			close(ch)
		}
	}, nil
}

// end sends all subscribers away, and takes no more.
func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for ch := range f.subscribers {
		delete(f.subscribers, ch)
		close(ch)
	}
}
