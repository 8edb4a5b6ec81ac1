package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func newBallot(t must, o resilience.BallotOptions) *resilience.Ballot {
	t.Helper()
	b, err := resilience.NewBallot(o)
	if err != nil {
		t.Fatalf("new ballot: %v", err)
	}
	return b
}

func TestBallotDecides(t *testing.T) {
	tests := []struct {
		name  string
		votes string // a replica each: + open, - closed and saw calls, 0 closed and saw none
		want  bool
	}{
		{"nothing without votes", "", false},
		{"nothing for one replica", "+", false},
		{"nothing for one replica among idle ones", "+00", false},
		{"nothing for one sick replica", "+--", false},
		{"to open for two of three", "++-", true},
		{"to open for two when no other saw calls", "++000", true},
		{"nothing for half", "++--", false},
		{"to open for all", "+++", true},
		{"nothing when all are well", "---", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ballot := newBallot(t, resilience.BallotOptions{})
			for i, vote := range tt.votes {
				v := resilience.Vote{Breaker: "llm", Replica: fmt.Sprint(i), Open: vote == '+'}
				if vote != '0' {
					v.Calls = 7
				}
				ballot.Cast(v)
			}
			if got := ballot.Decide("llm"); got.Open != tt.want {
				t.Errorf("got %+v, want open %v, input %q", got, tt.want, tt.votes)
			}
			if got := ballot.Decide("other"); got.Open {
				t.Errorf("another breaker: got %+v, want nothing", got)
			}
		})
	}
}

func TestBallotForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ballot := newBallot(t, resilience.BallotOptions{TTL: 10 * time.Second, CallsWithin: 30 * time.Second})
		cast := func(replica string, open bool, calls uint64) {
			ballot.Cast(resilience.Vote{Breaker: "llm", Replica: replica, Open: open, Calls: calls})
		}
		cast("a", true, 1)
		cast("b", true, 1)
		wait(10 * time.Second)
		if d := ballot.Decide("llm"); d.Open || d.For != nil {
			t.Errorf("got %+v, want silent replicas forgotten", d)
		}
		for range 4 { // c repeats itself, and sees no more calls after the first
			cast("c", false, 9)
			wait(9 * time.Second)
		}
		cast("a", true, 1)
		cast("b", true, 1)
		cast("c", false, 9)
		if d := ballot.Decide("llm"); !d.Open || d.Against != nil {
			t.Errorf("got %+v, want a replica without calls for 30 s not to count", d)
		}
		cast("c", false, 10)
		cast("d", false, 10)
		if d := ballot.Decide("llm"); d.Open || !slices.Equal(d.Against, []string{"c", "d"}) {
			t.Errorf("got %+v, want both against once they see calls", d)
		}
		ballot.Clear()
		if d := ballot.Decide("llm"); d.Open || d.For != nil || d.Against != nil {
			t.Errorf("got %+v, want nothing once cleared", d)
		}
	})
}

// replica is a registry with the ballot it hears.
type replica struct {
	name     string
	breakers resilience.Breakers
	breaker  *resilience.Breaker
	ballot   *resilience.Ballot
}

func replicas(t must, n int, o resilience.BreakerOptions) []*replica {
	t.Helper()
	all := make([]*replica, n)
	for i := range all {
		r := &replica{name: string(rune('a' + i)), breaker: newBreaker(t, o), ballot: newBallot(t, resilience.BallotOptions{})}
		if err := r.breakers.Add(r.breaker); err != nil {
			t.Fatalf("add: %v", err)
		}
		all[i] = r
	}
	return all
}

// exchange carries every vote to everybody, as pkg/bus will once a second.
func exchange(all []*replica) {
	for _, from := range all {
		for _, v := range from.breakers.Votes(from.name) {
			for _, to := range all {
				to.ballot.Cast(v)
			}
		}
	}
	for _, r := range all {
		r.breakers.Follow(r.ballot)
	}
}

func states(all []*replica) string {
	var s []string
	for _, r := range all {
		s = append(s, r.breaker.State())
	}
	return strings.Join(s, " ")
}

func TestBreakersOfReplicasOpenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := replicas(t, 3, resilience.BreakerOptions{Name: "llm", NoJitter: true})
		exchange(all)
		failing := func(r *replica, times int) {
			for range times {
				_ = r.breaker.Do(t.Context(), fail)
			}
		}
		for _, r := range all {
			_ = r.breaker.Do(t.Context(), done)
		}
		failing(all[0], 5)
		exchange(all)
		if got := states(all); got != "open closed closed" {
			t.Fatalf("one sick replica: got %s, want it alone open", got)
		}
		wait(time.Second)
		failing(all[1], 5)
		exchange(all)
		if got := states(all); got != "open open open" {
			t.Fatalf("a majority: got %s, want all open", got)
		}
		err := all[2].breaker.Do(t.Context(), done)
		if !errors.Is(err, resilience.ErrRejected) {
			t.Fatalf("the third: got %v, want a rejection", err)
		}
		// The third probes by itself; the decision that stands does not shut it again.
		for range 61 {
			wait(time.Second)
			exchange(all)
		}
		if err := all[2].breaker.Do(t.Context(), done); err != nil {
			t.Fatalf("the third after its recovery: got %v, want a probe", err)
		}
		exchange(all)
		if got := all[2].breaker.State(); got != resilience.StateClosed {
			t.Errorf("got %s, want its own success to count", got)
		}
	})
}

// Whatever happens to one replica, the others stay closed while they are well;
// and votes that echo never keep a breaker open for longer than its recovery.
func TestOneSickReplicaNeverOpensTheOthers(t *testing.T) {
	inBubble(t, func(ctx context.Context, t *rapid.T) {
		all := replicas(t, rapid.IntRange(2, 5).Draw(t, "replicas"), resilience.BreakerOptions{Name: "llm", RecoveryTimeout: 10 * time.Second})
		t.Repeat(map[string]func(*rapid.T){
			"sick": func(*rapid.T) { _ = all[0].breaker.Do(ctx, fail) },
			"well": func(t *rapid.T) {
				_ = all[rapid.IntRange(1, len(all)-1).Draw(t, "replica")].breaker.Do(ctx, done)
			},
			"exchange": func(*rapid.T) { exchange(all) },
			"time":     func(t *rapid.T) { wait(time.Duration(rapid.IntRange(1, 15).Draw(t, "s")) * time.Second) },
			"cut off":  func(t *rapid.T) { all[rapid.IntRange(0, len(all)-1).Draw(t, "replica")].ballot.Clear() },
			"": func(t *rapid.T) {
				for _, r := range all[1:] {
					if got := r.breaker.State(); got != resilience.StateClosed {
						t.Fatalf("got %s, want closed, replicas %s", got, states(all))
					}
				}
			},
		})
	})
}

func TestBreakersRegistry(t *testing.T) {
	var r resilience.Breakers
	if err := r.Add(nil); err == nil {
		t.Errorf("add nil: got nil, want an error")
	}
	for _, name := range []string{"vertex", "database"} {
		if err := r.Add(newBreaker(t, resilience.BreakerOptions{Name: name})); err != nil {
			t.Fatalf("add %s: %v", name, err)
		}
	}
	if err := r.Add(newBreaker(t, resilience.BreakerOptions{Name: "vertex"})); err == nil || !strings.Contains(err.Error(), `"vertex" is taken`) {
		t.Errorf("add twice: got %v, want an error that names it", err)
	}
	if b, ok := r.Get("vertex"); !ok || b.Name() != "vertex" {
		t.Errorf("get: got %v %v, want vertex", b, ok)
	}
	if _, ok := r.Get("nobody"); ok {
		t.Errorf("get of an unknown name: got one")
	}
	stats := r.Stats()
	if len(stats) != 2 || stats[0].Name != "database" || stats[1].Name != "vertex" {
		t.Errorf("stats: got %+v, want both in order", stats)
	}
}
