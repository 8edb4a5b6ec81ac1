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

// A feed keeps the last health events and hands new ones to subscribers, in the order of
// the stream.
type feed struct {
	mu          sync.Mutex
	events      []bus.StoredHealthEvent // the oldest first
	subscribers map[chan bus.StoredHealthEvent]place
	closed      bool
}

// A place is where a subscriber had come to, if it was there before.
type place struct {
	after   uint64
	resumes bool
}

func newFeed() *feed { return &feed{subscribers: map[chan bus.StoredHealthEvent]place{}} }

// add takes a new event. One that was told before it was stored is only noted.
func (f *feed) add(e bus.StoredHealthEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.note(e) {
		return
	}
	f.events = keepLast(append(f.events, e), maxKept)
	for ch := range f.subscribers {
		f.tell(ch, e)
	}
}

// recall takes an event from before the start. It is news only to those who had come to
// one before it.
func (f *feed) recall(e bus.StoredHealthEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.note(e) {
		return
	}
	at := len(f.events)
	for at > 0 && (f.events[at-1].Sequence == 0 || f.events[at-1].Sequence > e.Sequence) {
		at--
	}
	f.events = keepLast(slices.Insert(f.events, at, e), maxKept)
	for ch, had := range f.subscribers {
		if had.resumes && e.Sequence > had.after {
			f.tell(ch, e)
		}
	}
}

// note finds an event that is there, or that was told and is stored now, perhaps by
// another monitor in words of its own. f.mu is held.
func (f *feed) note(e bus.StoredHealthEvent) bool {
	last := true // of its component
	for i := len(f.events) - 1; i >= 0; i-- {
		known := &f.events[i]
		switch same := known.Component == e.Component; {
		case known.ID == e.ID:
			known.Sequence = max(known.Sequence, e.Sequence)
			return true
		case same && last && known.Sequence == 0 && known.Data.State == e.Data.State:
			*known = e
			return true
		case same:
			last = false
		}
	}
	return false
}

// tell hands an event to a subscriber. f.mu is held.
func (f *feed) tell(ch chan bus.StoredHealthEvent, e bus.StoredHealthEvent) {
	select {
	case ch <- e:
	default: // it does not read: it may come again, and say where it was
		delete(f.subscribers, ch)
		close(ch)
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

// subscribe returns the kept events after a sequence, or none for who does not resume, and
// a channel of those that follow. It is closed when the subscriber is too slow, or the
// feed ends. Call cancel when done.
func (f *feed) subscribe(after uint64, resume bool) (missed []bus.StoredHealthEvent, events <-chan bus.StoredHealthEvent, cancel func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.subscribers) >= maxSubscribers {
		return nil, nil, nil, errSubscribers
	}
	if resume {
		missed = slices.Clone(f.events[f.behind(after):])
	}
	ch := make(chan bus.StoredHealthEvent, maxBehind)
	f.subscribers[ch] = place{after, resume}
	return missed, ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if _, there := f.subscribers[ch]; there {
			delete(f.subscribers, ch)
			close(ch)
		}
	}, nil
}

// behind is the index of the first event after a sequence: after the event itself, if it
// is kept, because a stream that was made anew counts anew. f.mu is held.
func (f *feed) behind(after uint64) int {
	for i, e := range slices.Backward(f.events) {
		if e.Sequence == after && after > 0 {
			return i + 1
		}
	}
	for i := range f.events {
		if f.events[i].Sequence > after {
			return i
		}
	}
	return len(f.events)
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
