package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// followLeader collects who leads: each change, with how often it was told.
func followLeader(t testing.TB, b *bus.Bus) func() (holders []string, notes int) {
	t.Helper()
	var mu sync.Mutex
	var holders []string
	notes := 0
	ctx, stop := context.WithCancel(t.Context())
	runs(t, func() {
		err := b.FollowLeader(ctx, "m", func(l bus.Leadership) {
			mu.Lock()
			defer mu.Unlock()
			if n := len(holders); n == 0 || holders[n-1] != l.Holder {
				holders = append(holders, l.Holder)
			}
			var note struct{ By string }
			if l.Holder != "" && (json.Unmarshal(l.Note, &note) != nil || note.By != l.Holder || l.Since.IsZero()) {
				t.Errorf("told: got %+v with note %s", l, l.Note)
			}
			notes++
		})
		if err != nil {
			t.Errorf("follow the leader: %v", err)
		}
	})
	t.Cleanup(stop)
	return func() ([]string, int) {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(holders), notes
	}
}

func TestAFollowerOfTheLeaderIsToldOfEachChangeAndRenewal(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b, w := wired(t, s)
		told := followLeader(t, b)
		check := func(when string, want ...string) {
			t.Helper()
			if got, _ := told(); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", when, got, want)
			}
		}
		spend(t.Context(), time.Second)
		check("at first", "")
		var a annals
		x := a.contender(t, s, "x")
		spend(t.Context(), 100*time.Millisecond)
		check("when one leads", "", "x")
		late := followLeader(t, b)
		spend(t.Context(), 9900*time.Millisecond)
		if got, notes := told(); notes < 10 || notes > 13 {
			t.Errorf("ten seconds later: told %d times of %q, want once a second", notes, got)
		}
		if got, _ := late(); !slices.Equal(got, []string{"x"}) {
			t.Errorf("one who came later: got %q, want x at once", got)
		}
		y := a.contender(t, s, "y")
		x.stop()
		spend(t.Context(), time.Second)
		check("when another one takes over", "", "x", "", "y")
		y.bus.Conn().Close()
		spend(t.Context(), 4*time.Second)
		check("when it died", "", "x", "", "y", "")
		a.contender(t, s, "z")
		spend(t.Context(), time.Second)
		w.sever(true)
		spend(t.Context(), time.Second)
		check("when nobody can tell", "", "x", "", "y", "", "z", "")
		w.sever(false)
		spend(t.Context(), 2*time.Second)
		check("when somebody can", "", "x", "", "y", "", "z", "", "z")
		w.deafen(true)
		spend(t.Context(), 5*time.Second)
		check("when nothing is heard", "", "x", "", "y", "", "z", "", "z", "")
		w.deafen(false)
		spend(t.Context(), 10*time.Second)
		check("at the end", "", "x", "", "y", "", "z", "", "z", "", "z")
		if l, err := b.Leader(t.Context(), "m"); err != nil || l.Holder != "z" || string(l.Note) != `{"by":"z"}` {
			t.Errorf("who leads: got %+v, %v, want z", l, err)
		}
	})
}

func TestWithoutABucketNobodyLeads(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		if err := b.JetStream().DeleteKeyValue(t.Context(), "genesis_leases"); err != nil {
			t.Fatal(err)
		}
		told := followLeader(t, b)
		r := followWorkers(t, b)
		spend(t.Context(), 5*time.Second)
		if got, _ := told(); !slices.Equal(got, []string{""}) {
			t.Errorf("told: got %q, want that nobody leads", got)
		}
		if l, err := b.Leader(t.Context(), "m"); !errors.Is(err, bus.ErrUnavailable) {
			t.Errorf("who leads: got %+v, %v, want unavailable", l, err)
		}
		if all, err := b.Workers(t.Context()); !errors.Is(err, bus.ErrUnavailable) {
			t.Errorf("workers: got %v, %v, want unavailable", all, err)
		}
		createStreams(t, b)
		var a annals
		a.contender(t, s, "x")
		announce(t, s, "w")
		spend(t.Context(), 5*time.Second)
		if got, _ := told(); !slices.Equal(got, []string{"", "x"}) {
			t.Errorf("told when there is a bucket: got %q, want x", got)
		}
		if got := r.told(); !slices.Equal(got, []string{"here w"}) {
			t.Errorf("workers told when there is a bucket: got %q, want w", got)
		}
	})
}

// A leader that has too much to say of itself leads all the same.
func TestANoteThatCannotBeWrittenIsLeftOut(t *testing.T) {
	for name, note := range map[string]any{"too long": strings.Repeat("x", 300<<10), "no JSON": func() {}} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connectTo(t, s, quiet())
				ctx, stop := context.WithCancel(t.Context())
				runs(t, func() {
					_ = b.Lead(ctx, bus.LeadOptions{Name: "m", Holder: "x", Describe: func() any { return note }, Lead: func(ctx context.Context) error {
						<-ctx.Done()
						return nil
					}})
				})
				t.Cleanup(stop)
				spend(t.Context(), time.Second)
				if l, err := b.Leader(t.Context(), "m"); err != nil || l.Holder != "x" || l.Note != nil {
					t.Errorf("who leads: got %+v, %v, want x without a note", l, err)
				}
			})
		})
	}
}
