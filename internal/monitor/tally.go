package monitor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"genesis/pkg/bus"
)

// Bounds of the tally of dead letters.
const (
	maxGroups = 500    // fingerprints that are told apart
	maxRecent = 50_000 // dead letters of the last minute
	// rescanShare bounds which part of the time is spent on reading all dead letters anew.
	rescanShare = 20
)

// A Group is the dead letters of one cause.
type Group struct {
	Fingerprint string    `json:"fingerprint"`
	Agent       string    `json:"agent"`
	Reason      string    `json:"reason"`
	Error       string    `json:"error"` // that of the last one
	Count       uint64    `json:"count"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
}

// tally counts the dead letters by agent and by cause. While they only become more, it
// reads those that are new; when some were removed, it reads all of them anew, and not
// more often than a twentieth of the time allows. What one look has no time for, the next
// goes on with.
type tally struct {
	bus *bus.Bus

	// Of the reading, which one goroutine does.
	last, kept uint64 // of the stream, as far as it was read
	read       bool   // all of it was, once
	next       *tally // all of them anew, as far as it has come; nil: nobody reads them
	cost       time.Duration
	begun      time.Time

	mu     sync.Mutex
	counts map[string]uint64
	groups map[string]*Group
	recent []death
}

// A death is a dead letter of the last minute, by this machine's clock that does not jump.
type death struct {
	agent string
	at    time.Time
}

func newTally(b *bus.Bus) *tally {
	return &tally{bus: b, counts: map[string]uint64{}, groups: map[string]*Group{}}
}

// look brings the tally up to date with a stream whose last sequence and number of
// messages are given, at that time by the broker's clock. It is no error when ctx leaves
// too little time for all of them.
func (t *tally) look(ctx context.Context, at time.Time, last, kept uint64) error {
	var err error
	switch {
	case t.next != nil && last >= t.next.last:
		err = t.anew(ctx, at, last, kept)
	case t.read && last == t.last && kept == t.kept:
	case t.read && last > t.last && kept-t.kept == last-t.last:
		if err = t.more(ctx, last, func(*bus.DeadLetter) (time.Time, bool) { return time.Now(), true }); err == nil {
			t.last, t.kept = last, kept
		}
	case t.read && time.Since(t.begun) < rescanShare*t.cost:
	default:
		t.next, t.cost, t.begun = newTally(t.bus), 0, time.Now()
		err = t.anew(ctx, at, last, kept)
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return nil
	}
	return err
}

// more reads the dead letters after those that it knows. died tells when one died, if
// that was in the last minute.
func (t *tally) more(ctx context.Context, last uint64, died func(*bus.DeadLetter) (time.Time, bool)) error {
	for letter, err := range t.bus.DeadLetters(ctx, bus.DeadLetterFilter{AfterSequence: t.last}) {
		if err != nil {
			return err
		}
		if letter.Sequence > last {
			break
		}
		at, recent := died(&letter)
		t.count(&letter, at, recent)
		t.last = letter.Sequence
		t.kept++
	}
	return nil
}

// anew reads all of them, or goes on with it. One that came since the last look is new,
// whatever the clocks say; at the start only they can tell.
func (t *tally) anew(ctx context.Context, at time.Time, last, kept uint64) error {
	began := time.Now()
	err := t.next.more(ctx, last, func(letter *bus.DeadLetter) (time.Time, bool) {
		if t.read {
			return time.Now(), letter.Sequence > t.last
		}
		age := max(at.Sub(letter.Last), 0)
		return time.Now().Add(-age), age < time.Minute
	})
	t.cost += time.Since(began)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts, t.groups, t.recent = t.next.counts, t.next.groups, append(t.recent, t.next.recent...)
	t.last, t.kept, t.read, t.next = last, kept, true, nil
	return nil
}

func (t *tally) count(letter *bus.DeadLetter, died time.Time, recent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[letter.Agent]++
	if recent && len(t.recent) < maxRecent {
		t.recent = append(t.recent, death{letter.Agent, died})
	}
	g := t.groups[letter.Fingerprint]
	if g == nil {
		if len(t.groups) >= maxGroups {
			return
		}
		g = &Group{Fingerprint: letter.Fingerprint, Agent: letter.Agent, Reason: letter.Reason, First: earlier(letter.First, letter.Last)}
		t.groups[letter.Fingerprint] = g
	}
	g.Count++
	if first := earlier(letter.First, letter.Last); first.Before(g.First) {
		g.First = letter.First
	}
	if !letter.Last.Before(g.Last) {
		g.Last, g.Error = letter.Last, letter.Error
	}
}

// of tells how many dead letters each agent has in all, and from the last minute.
func (t *tally) of() (kept, lately map[string]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent = slices.DeleteFunc(t.recent, func(d death) bool { return time.Since(d.at) >= time.Minute })
	lately = make(map[string]uint64)
	for _, d := range t.recent {
		lately[d.agent]++
	}
	return maps.Clone(t.counts), lately
}

// largest are the causes with the most dead letters, at most n.
func (t *tally) largest(n int) []Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Group, 0, len(t.groups))
	for _, g := range t.groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return all[:min(n, len(all))]
}

// earlier is the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
