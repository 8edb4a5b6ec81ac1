package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

func TestReplicasKeepASharedLimitTogether(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		const perSecond, seconds = 100, 30
		var calls atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var wg sync.WaitGroup
		defer wg.Wait()
		defer stop()
		for i := range 3 {
			limit, err := resilience.NewSharedRateLimit(resilience.SharedRateLimitOptions{
				Name: "llm", PerSecond: perSecond, Burst: 50, Replica: fmt.Sprint(i), Replicas: 3,
				Store: connectTo(t, s, quiet()).TokenStore(),
			})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if err := limit.Run(ctx); err != nil {
					t.Errorf("run: %v", err)
				}
			})
			wg.Go(func() {
				tick := time.NewTicker(time.Second / perSecond) // each asks for all of it
				defer tick.Stop()
				for ctx.Err() == nil {
					_ = limit.Do(ctx, func(context.Context) error { calls.Add(1); return nil })
					<-tick.C
				}
			})
		}
		spend(ctx, 5*time.Second) // the burst is over
		before := calls.Load()
		spend(ctx, seconds*time.Second)
		got, want := calls.Load()-before, int64(perSecond*seconds)
		if got < want*95/100 || got > want*105/100 {
			t.Errorf("calls of three replicas in %d s: got %d, want %d within 5 %%", seconds, got, want)
		}
	})
}

func TestLeasesOfManyAtOnceAreEachCountedOnce(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	const replicas, rounds = 4, 25
	var wg sync.WaitGroup
	for range replicas {
		store := connectTo(t, s, quiet()).TokenStore()
		wg.Go(func() {
			for range rounds {
				err := store.Update(t.Context(), "odd name.*", func(t resilience.TokenBucket) resilience.TokenBucket {
					t.Tokens++
					return t
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := tokens(t, b, "odd name.*"); got != replicas*rounds {
		t.Errorf("got %v, want %d", got, replicas*rounds)
	}
	if got := tokens(t, b, "another"); got != 0 {
		t.Errorf("another limit: got %v, want none", got)
	}
}

// tokens reads a shared bucket.
func tokens(t *testing.T, b *bus.Bus, name string) (n float64) {
	t.Helper()
	err := b.TokenStore().Update(t.Context(), name, func(bucket resilience.TokenBucket) resilience.TokenBucket {
		n = bucket.Tokens
		return bucket
	})
	if err != nil {
		t.Errorf("read the tokens of %s: %v", name, err)
	}
	return n
}

func TestATokenBucketThatCannotBeReadBeginsAnew(t *testing.T) {
	b := connect(t, bustest.Start(t))
	kv, err := b.JetStream().KeyValue(t.Context(), "genesis_leases")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "tokens.llm", "{"); err != nil {
		t.Fatal(err)
	}
	if got := tokens(t, b, "llm"); got != 0 {
		t.Errorf("got %v, want none", got)
	}
}

func TestALeaseFailsWhileTheBrokerIsAway(t *testing.T) {
	s := bustest.Start(t)
	b := connectTo(t, s, quiet())
	tokens(t, b, "llm")
	s.Down(t)
	await(t, "the connection to be lost", func() bool { return !b.Connected() })
	began := time.Now()
	err := b.TokenStore().Update(t.Context(), "llm", func(b resilience.TokenBucket) resilience.TokenBucket { return b })
	if !errors.Is(err, bus.ErrUnavailable) || time.Since(began) > time.Second {
		t.Errorf("got %v after %s, want %v at once", err, time.Since(began), bus.ErrUnavailable)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.TokenStore().Update(ctx, "llm", func(b resilience.TokenBucket) resilience.TokenBucket { return b }); err == nil {
		t.Error("with an ended context: got no error")
	}
}
