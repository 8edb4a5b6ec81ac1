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
// more often than a twentieth of the time allows.
type tally struct {
	bus *bus.Bus

	// Of the reading, which one goroutine does.
	last, kept uint64 // of the stream, at the last reading
	read       bool
	cost       time.Duration
	begun      time.Time

	mu     sync.Mutex
	counts map[string]uint64
	groups map[string]*Group
	recent []death
}

// A death is a dead letter of the last minute.
type death struct {
	agent string
	at    time.Time
}

func newTally(b *bus.Bus) *tally {
	return &tally{bus: b, counts: map[string]uint64{}, groups: map[string]*Group{}}
}

// look brings the tally up to date with a stream whose last sequence and number of
// messages are given.
func (t *tally) look(ctx context.Context, last, kept uint64) error {
	switch {
	case t.read && last == t.last && kept == t.kept:
		return nil
	case t.read && last > t.last && kept-t.kept == last-t.last:
		return t.more(ctx, last, kept)
	case t.read && time.Since(t.begun) < rescanShare*t.cost:
		return nil
	}
	return t.anew(ctx, last, kept)
}

func (t *tally) more(ctx context.Context, last, kept uint64) error {
	for letter, err := range t.bus.DeadLetters(ctx, bus.DeadLetterFilter{AfterSequence: t.last}) {
		if err != nil {
			t.read = false // some of them are counted
			return err
		}
		if letter.Sequence <= last {
			t.count(&letter)
		}
	}
	t.last, t.kept = last, kept
	return nil
}

func (t *tally) anew(ctx context.Context, last, kept uint64) error {
	fresh := newTally(t.bus)
	t.begun = time.Now()
	for letter, err := range t.bus.DeadLetters(ctx, bus.DeadLetterFilter{}) {
		if err != nil {
			return err
		}
		if letter.Sequence <= last {
			fresh.count(&letter)
		}
	}
	t.cost = time.Since(t.begun)
	t.last, t.kept, t.read = last, kept, true
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts, t.groups, t.recent = fresh.counts, fresh.groups, fresh.recent
	return nil
}

func (t *tally) count(letter *bus.DeadLetter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[letter.Agent]++
	if time.Since(letter.Last) < time.Minute && len(t.recent) < maxRecent {
		t.recent = append(t.recent, death{letter.Agent, letter.Last})
	}
	g := t.groups[letter.Fingerprint]
	if g == nil {
		if len(t.groups) >= maxGroups {
			return
		}
		g = &Group{Fingerprint: letter.Fingerprint, Agent: letter.Agent, Reason: letter.Reason, First: letter.First}
		t.groups[letter.Fingerprint] = g
	}
	g.Count++
	if letter.First.Before(g.First) {
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
