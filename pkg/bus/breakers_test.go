package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

const bucketBreakers = "genesis_breakers"

var errSick = errors.New("connection refused")

// sharer is a replica that shares its breaker of the dependency "llm".
type sharer struct {
	name    string
	bus     *bus.Bus
	breaker *resilience.Breaker
	stop    func()
}

func sharers(t *testing.T, s *bustest.Server, names ...string) []*sharer {
	t.Helper()
	all := make([]*sharer, len(names))
	for i, name := range names {
		all[i] = newSharer(t, s, name)
	}
	return all
}

func newSharer(t *testing.T, s *bustest.Server, name string) *sharer {
	t.Helper()
	b := connectTo(t, s, quiet())
	breaker, err := resilience.NewBreaker(resilience.BreakerOptions{Name: "llm"})
	if err != nil {
		t.Fatal(err)
	}
	var breakers resilience.Breakers
	if err := breakers.Add(breaker); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	runs(t, func() {
		if err := b.ShareBreakers(ctx, &breakers, name); err != nil {
			t.Errorf("share breakers of %s: %v", name, err)
		}
	})
	t.Cleanup(stop)
	return &sharer{name, b, breaker, stop}
}

func connectTo(t *testing.T, s *bustest.Server, log *slog.Logger) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s.InProcess(), Logger: log})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	createStreams(t, b)
	return b
}

// works lets a call succeed, and trips opens the breaker by calls that fail.
func (r *sharer) works(t *testing.T) {
	t.Helper()
	if err := r.breaker.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("a call of %s: %v", r.name, err)
	}
}

func (r *sharer) trips(t *testing.T) {
	t.Helper()
	for range 5 {
		_ = r.breaker.Do(t.Context(), func(context.Context) error { return errSick })
	}
	if got := r.breaker.State(); got != resilience.StateOpen {
		t.Fatalf("breaker of %s after 5 failures: got %s, want open", r.name, got)
	}
}

func states(all []*sharer) (text string) {
	for _, r := range all {
		text += r.breaker.State() + " "
	}
	return text
}

func TestAMajorityOpensTheBreakerOfAllWithinTwoSeconds(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		all := sharers(t, s, "a", "b", "c.with *odd* > name")
		for _, r := range all {
			r.works(t)
		}
		spend(t.Context(), 5*time.Second)
		all[0].trips(t)
		spend(t.Context(), 20*time.Second)
		if got, want := states(all), "open closed closed "; got != want {
			t.Fatalf("one sick replica: got %s, want %s", got, want)
		}
		all[1].trips(t)
		spend(t.Context(), 2*time.Second)
		if got, want := states(all), "open open open "; got != want {
			t.Errorf("2 s after a majority is sick: got %s, want %s", got, want)
		}
	})
}

func TestAReplicaThatIsGoneHasNoVote(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		gone := newSharer(t, s, "gone")
		gone.trips(t)
		spend(t.Context(), time.Second)
		gone.stop()
		spend(t.Context(), 11*time.Second)
		all := sharers(t, s, "a", "b") // both are told what the one that is gone said
		all[0].trips(t)
		spend(t.Context(), 5*time.Second)
		if got, want := states(all), "open closed "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		spend(t.Context(), 2*time.Minute)
		kv, err := gone.bus.JetStream().KeyValue(t.Context(), bucketBreakers)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := kv.Get(t.Context(), "llm.gone"); err == nil {
			t.Errorf("its vote after two minutes: got %s, want none", e.Value())
		}
	})
}

func TestOneWhoJoinsLateIsToldByTheOthers(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		for _, r := range sharers(t, s, "a", "b") {
			r.trips(t)
		}
		spend(t.Context(), 2*time.Second)
		late := newSharer(t, s, "late")
		spend(t.Context(), 2*time.Second)
		if got := late.breaker.State(); got != resilience.StateOpen {
			t.Errorf("got %s, want open", got)
		}
	})
}

func TestWithoutTheBrokerEachReplicaDecidesAloneAndThenTogetherAgain(t *testing.T) {
	s := bustest.Start(t)
	all := sharers(t, s, "a", "b", "c")
	for _, r := range all {
		r.works(t)
	}
	await(t, "the votes of all", func() bool { return len(voteKeys(t, all[0].bus)) == 3 })
	s.Down(t)
	all[0].trips(t)
	all[1].trips(t)
	if got, want := states(all), "open open closed "; got != want {
		t.Errorf("while the broker is away: got %s, want %s", got, want)
	}
	s.Restart(t)
	await(t, "the third breaker to follow", func() bool { return all[2].breaker.State() == resilience.StateOpen })
}

func voteKeys(t *testing.T, b *bus.Bus) map[string]resilience.Vote {
	t.Helper()
	kv, err := b.JetStream().KeyValue(t.Context(), bucketBreakers)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := kv.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	votes := map[string]resilience.Vote{}
	for key := range keys.Keys() {
		e, err := kv.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		var v resilience.Vote
		if err := json.Unmarshal(e.Value(), &v); err != nil {
			t.Errorf("vote %s: %v", key, err)
		}
		votes[key] = v
	}
	return votes
}

// What says nothing is not said: a breaker without calls costs nothing.
func TestVotesAreRepeatedOnlyWhileTheySaySomething(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		r := newSharer(t, s, "a")
		spend(t.Context(), time.Minute)
		written := func() uint64 {
			t.Helper()
			stream, err := r.bus.JetStream().Stream(t.Context(), "KV_"+bucketBreakers)
			if err != nil {
				t.Fatal(err)
			}
			return stream.CachedInfo().State.LastSeq
		}
		if got := written(); got != 0 {
			t.Errorf("votes without calls: got %d, want none", got)
		}
		r.works(t)
		spend(t.Context(), time.Second)
		if got := written(); got != 1 {
			t.Errorf("votes a second after the first call: got %d, want 1", got)
		}
		spend(t.Context(), 5*time.Minute)
		if got := written(); got < 10 || got > 25 {
			t.Errorf("votes after a call: got %d, want one each 3 s for a minute", got)
		}
		before := written()
		for range 600 { // calls all the time
			r.works(t)
			spend(t.Context(), 100*time.Millisecond)
		}
		if got := written() - before; got < 15 || got > 25 {
			t.Errorf("votes in a minute of calls: got %d, want one each 3 s", got)
		}
	})
}

func TestNonsenseInTheBucketIsIgnored(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		all := sharers(t, s, "a", "b")
		kv, err := all[0].bus.JetStream().KeyValue(t.Context(), bucketBreakers)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range []string{"", "{", `{"breaker":"llm"}`, `{"breaker":"llm","open":true}`, `{"breaker":"other","replica":"x","open":true}`, `{"breaker":"llm","replica":"a","open":true}`} {
			if _, err := kv.PutString(t.Context(), fmt.Sprintf("llm.x%d", i), text); err != nil {
				t.Fatal(err)
			}
		}
		all[0].trips(t)
		spend(t.Context(), 5*time.Second)
		if got, want := states(all), "open closed "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestSharingNeedsBreakersAndAName(t *testing.T) {
	b := connectTo(t, bustest.Start(t), quiet())
	if err := b.ShareBreakers(t.Context(), nil, "a"); err == nil {
		t.Error("without breakers: got no error")
	}
	if err := b.ShareBreakers(t.Context(), &resilience.Breakers{}, ""); err == nil {
		t.Error("without a name: got no error")
	}
}

func TestABucketThatWasRemovedIsUsedAgainWhenItIsBack(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		all := sharers(t, s, "a", "b", "c")
		for _, r := range all {
			r.works(t)
		}
		spend(t.Context(), 5*time.Second)
		if err := all[0].bus.JetStream().DeleteKeyValue(t.Context(), bucketBreakers); err != nil {
			t.Fatal(err)
		}
		all[0].trips(t)
		all[1].trips(t)
		spend(t.Context(), time.Minute)
		if got, want := all[2].breaker.State(), resilience.StateClosed; got != want {
			t.Errorf("without the bucket: got %s, want %s", got, want)
		}
		createStreams(t, all[0].bus)
		for _, r := range all {
			r.breaker.Reset()
		}
		spend(t.Context(), 5*time.Second)
		all[0].trips(t)
		all[1].trips(t)
		limit := time.After(time.Minute)
		for all[2].breaker.State() != resilience.StateOpen {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-limit:
				t.Fatal("the third breaker does not follow within a minute")
			}
		}
	})
}
