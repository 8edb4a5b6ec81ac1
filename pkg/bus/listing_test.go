package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// placeLetter writes a dead letter as a worker does.
func placeLetter(t testing.TB, b *bus.Bus, agent, id, reason string, last time.Time) {
	t.Helper()
	send(t, b, bus.DeadLetterSubject(agent, id), "payload of "+id,
		"Genesis-Dead-Reason", reason, "Genesis-Dead-Error", "boom", "Genesis-Dead-Fingerprint", "f-"+reason,
		"Genesis-Dead-Last", last.UTC().Format(time.RFC3339Nano), "Genesis-Origin-Subject", bus.RequestSubject(agent, bus.LaneBatch, id))
}

// list names the dead letters that a filter selects.
func list(t testing.TB, b *bus.Bus, f bus.DeadLetterFilter) (ids []string) {
	t.Helper()
	for d, err := range b.DeadLetters(t.Context(), f) {
		if err != nil {
			t.Fatalf("list %+v: %v", f, err)
		}
		if len(d.Payload) != 0 || d.Lane() != bus.LaneBatch {
			t.Errorf("listed %+v, want no payload", d)
		}
		ids = append(ids, d.ID)
	}
	return ids
}

func TestAListingSelectsByEachFilter(t *testing.T) {
	b := connect(t, bustest.Start(t), "a", "b")
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	placeLetter(t, b, "a", "x1", bus.DeadPermanent, noon)
	placeLetter(t, b, "a", "x2", bus.DeadPanic, noon.Add(time.Hour))
	placeLetter(t, b, "b", "x1", bus.DeadPermanent, noon.Add(2*time.Hour))
	placeLetter(t, b, "b", "x3", bus.DeadPoison, noon.Add(3*time.Hour))
	send(t, b, "genesis.dlq.NOBODY.x9", "foreign") // is left out
	for _, tt := range []struct {
		f    bus.DeadLetterFilter
		want string
	}{
		{bus.DeadLetterFilter{}, "x1 x2 x1 x3"},
		{bus.DeadLetterFilter{Agent: "a"}, "x1 x2"},
		{bus.DeadLetterFilter{ID: "x1"}, "x1 x1"},
		{bus.DeadLetterFilter{Agent: "b", ID: "x1"}, "x1"},
		{bus.DeadLetterFilter{Reason: bus.DeadPermanent}, "x1 x1"},
		{bus.DeadLetterFilter{Fingerprint: "f-panic"}, "x2"},
		{bus.DeadLetterFilter{Before: noon.Add(time.Hour)}, "x1"},
		{bus.DeadLetterFilter{After: noon.Add(time.Hour)}, "x1 x3"},
		{bus.DeadLetterFilter{After: noon, Before: noon.Add(3 * time.Hour), Reason: bus.DeadPermanent}, "x1"},
		{bus.DeadLetterFilter{AfterSequence: 2}, "x1 x3"},
		{bus.DeadLetterFilter{AfterSequence: 3, Agent: "b"}, "x3"},
		{bus.DeadLetterFilter{AfterSequence: 5}, ""},
		{bus.DeadLetterFilter{AfterSequence: 9}, ""},
		{bus.DeadLetterFilter{Agent: "c"}, ""},
		{bus.DeadLetterFilter{Reason: "other"}, ""},
	} {
		if got := strings.Join(list(t, b, tt.f), " "); got != tt.want {
			t.Errorf("list %+v: got %q, want %q", tt.f, got, tt.want)
		}
	}
	for _, f := range []bus.DeadLetterFilter{{Agent: "A"}, {ID: "a.b"}, {Agent: "*"}, {ID: ">"}} {
		for _, err := range b.DeadLetters(t.Context(), f) {
			if !errors.Is(err, bus.ErrInvalid) {
				t.Errorf("list %+v: got %v, want invalid", f, err)
			}
		}
	}
}

// The set is frozen when the listing starts, over any number of batches, whatever
// comes and goes meanwhile; and nothing that is gone keeps it waiting.
func TestAListingIsFrozenAtItsStart(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	const n = 1200
	at := time.Now()
	for i := range n {
		placeLetter(t, b, "a", fmt.Sprint("x", i), bus.DeadPermanent, at)
	}
	var seen []string
	began := time.Now()
	for d, err := range b.DeadLetters(t.Context(), bus.DeadLetterFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 {
			for i := range 100 { // some go, others come
				if err := b.RemoveDeadLetter(t.Context(), letter(t, b, "a", fmt.Sprint("x", n-1-i))); err != nil {
					t.Fatal(err)
				}
				placeLetter(t, b, "a", fmt.Sprint("late", i), bus.DeadPermanent, at)
				placeLetter(t, b, "a", fmt.Sprint("x", i), bus.DeadPermanent, at) // a newer one in its place
			}
		}
		seen = append(seen, d.ID)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the listing took %s", took)
	}
	if len(seen) < n-200 || len(seen) > n {
		t.Errorf("listed %d, want those of %d that were there at the start", len(seen), n)
	}
	if slices.ContainsFunc(seen, func(id string) bool { return strings.HasPrefix(id, "late") }) {
		t.Error("listed a dead letter that came after the start")
	}
	slices.Sort(seen)
	if len(slices.Compact(slices.Clone(seen))) != len(seen) {
		t.Error("listed a dead letter twice")
	}
}

func TestAListingCanBeLeftAndLeavesNothingBehind(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	for i := range 700 {
		placeLetter(t, b, "a", fmt.Sprint("x", i), bus.DeadPermanent, time.Now())
	}
	for i := range 20 {
		n := 0
		for _, err := range b.DeadLetters(t.Context(), bus.DeadLetterFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > i*30 {
				break
			}
		}
	}
	s, err := b.JetStream().Stream(t.Context(), bus.StreamDeadLetters)
	if err != nil || s.CachedInfo().State.Consumers != 0 {
		t.Errorf("consumers left: %d, %v", s.CachedInfo().State.Consumers, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range b.DeadLetters(ctx, bus.DeadLetterFilter{}) {
		last = err
	}
	if !errors.Is(last, bus.ErrUnavailable) {
		t.Errorf("listing with an ended context: got %v, want unavailable", last)
	}
}
