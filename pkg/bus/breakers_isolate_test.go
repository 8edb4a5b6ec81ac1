package bus_test

import (
	"errors"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// operate gives a command about the breaker "llm". No worker need serve it.
func operate(t *testing.T, b *bus.Bus, verb string) {
	t.Helper()
	_, err := b.CommandBreaker(t.Context(), verb, bus.BreakerCommand{Name: "llm", Operator: "ann", Reason: "drill"}, time.Second)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		t.Fatalf("%s: %v", verb, err)
	}
}

func TestAnIsolationHoldsForWorkersThatStartLater(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		early := newSharer(t, s, "early")
		spend(t.Context(), time.Second)
		operate(t, b, bus.CommandBreakerIsolate)
		spend(t.Context(), time.Hour) // longer than any vote is kept
		late := newSharer(t, s, "late")
		spend(t.Context(), 2*time.Second)
		if got, want := states([]*sharer{early, late}), "open open "; got != want {
			t.Errorf("isolated: got %s, want %s", got, want)
		}
		for _, verb := range []string{bus.CommandBreakerRelease, bus.CommandBreakerIsolate, bus.CommandBreakerReset, bus.CommandBreakerReset} {
			operate(t, b, verb)
			spend(t.Context(), 2*time.Second)
			want := "closed closed "
			if verb == bus.CommandBreakerIsolate {
				want = "open open "
			}
			if got := states([]*sharer{early, late}); got != want {
				t.Errorf("%s: got %s, want %s", verb, got, want)
			}
		}
		after := newSharer(t, s, "after")
		spend(t.Context(), 2*time.Second)
		if got := after.breaker.State(); got != resilience.StateClosed {
			t.Errorf("one that starts after the release: got %s, want closed", got)
		}
	})
}

func TestAReleaseThatNobodyHeardOfIsCarriedOut(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	r := newSharer(t, s, "a")
	operate(t, b, bus.CommandBreakerIsolate)
	await(t, "the isolation", func() bool { return r.breaker.State() == resilience.StateOpen })
	stream, err := b.JetStream().Stream(t.Context(), "KV_"+bucketBreakers)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil { // watchers are not told
		t.Fatal(err)
	}
	s.Restart(t)
	await(t, "the release", func() bool { return r.breaker.State() == resilience.StateClosed })
}

func TestAnIsolationThatCannotBeKeptIsAnError(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	var breakers resilience.Breakers
	serve(t, s, b.BreakerVerbs("a", &breakers))
	if err := b.JetStream().DeleteKeyValue(t.Context(), bucketBreakers); err != nil {
		t.Fatal(err)
	}
	replies, err := b.CommandBreaker(t.Context(), bus.CommandBreakerIsolate, bus.BreakerCommand{Name: "llm"}, 5*time.Second)
	if !errors.Is(err, bus.ErrUnavailable) || len(replies) != 1 {
		t.Errorf("got %v, %v, want one reply and %v", replies, err, bus.ErrUnavailable)
	}
}
