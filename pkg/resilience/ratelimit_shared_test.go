package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

var errAway = errors.New("the store is away")

// keptBuckets is a store that takes its time and may be away.
type keptBuckets struct {
	latency time.Duration
	away    atomic.Bool
	mute    atomic.Bool // does not answer at all

	mu      sync.Mutex
	buckets map[string]resilience.TokenBucket
}

func (k *keptBuckets) Update(ctx context.Context, name string, change func(resilience.TokenBucket) resilience.TokenBucket) error {
	wait(k.latency)
	if k.mute.Load() {
		return hang(ctx)
	}
	if k.away.Load() {
		return errAway
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.buckets == nil {
		k.buckets = map[string]resilience.TokenBucket{}
	}
	change(k.buckets[name]) // lost to another replica, which left the same
	k.buckets[name] = change(k.buckets[name])
	return nil
}

func mustShared(t testing.TB, o resilience.SharedRateLimitOptions) *resilience.SharedRateLimit {
	t.Helper()
	s, err := resilience.NewSharedRateLimit(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cluster is some replicas of one limit, each with calls at a rate of its own.
type cluster struct {
	replicas []*resilience.SharedRateLimit
	passed   []atomic.Int64
	wg       sync.WaitGroup
}

// start makes a replica for each demand, in calls a second.
func (c *cluster) start(ctx context.Context, t testing.TB, o resilience.SharedRateLimitOptions, demands ...float64) {
	t.Helper()
	c.passed = make([]atomic.Int64, len(demands))
	for i, demand := range demands {
		o.Replica = fmt.Sprint("replica-", i)
		s := mustShared(t, o)
		c.replicas = append(c.replicas, s)
		c.wg.Go(func() { _ = s.Run(ctx) })
		if demand == 0 {
			continue
		}
		c.wg.Go(func() {
			for ctx.Err() == nil {
				if s.Do(ctx, pass) == nil {
					c.passed[i].Add(1)
				}
				wait(time.Duration(float64(time.Second) / demand))
			}
		})
		wait(17 * time.Millisecond) // they do not start in the same moment
	}
}

// count returns how many calls pass on all replicas in so long.
func (c *cluster) count(d time.Duration) (sum int, each []int) {
	before := make([]int, len(c.passed))
	for i := range c.passed {
		before[i] = int(c.passed[i].Load())
	}
	wait(d)
	for i := range c.passed {
		each = append(each, int(c.passed[i].Load())-before[i])
		sum += each[i]
	}
	return sum, each
}

func exactly(t rapid.TB, sum int, each []int, want float64) {
	t.Helper()
	if off := math.Abs(float64(sum)-want) / want; off > 0.05 {
		t.Fatalf("got %d calls through, %v, want %.0f within 5 %%: it is %.1f %%", sum, each, want, 100*off)
	}
}

// The promise: exact within 5 %, however the demand is spread.
func TestSharedRateLimitIsExactOverThreeReplicas(t *testing.T) {
	const minute = time.Minute
	tests := []struct {
		name    string
		demands []float64
		want    float64 // of the limit of 100 a second
	}{
		{"all want more", []float64{200, 200, 200}, 100},
		{"one wants much more", []float64{900, 60, 60}, 100},
		{"one wants all, the others nothing", []float64{300, 0, 0}, 100},
		{"together just more", []float64{40, 40, 40}, 100},
		{"together less: all of it", []float64{30, 20, 10}, 60},
		{"little each: all of it", []float64{2, 1, 1}, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var c cluster
				o := resilience.SharedRateLimitOptions{Name: "openai", PerSecond: 100, Store: &keptBuckets{latency: 5 * time.Millisecond}}
				c.start(ctx, t, o, tt.demands...)
				defer c.wg.Wait()
				defer cancel()
				wait(10 * time.Second)
				sum, each := c.count(minute)
				exactly(t, sum, each, tt.want*minute.Seconds())
			})
		})
	}
}

func TestSharedRateLimitIsExactForAnyLimit(t *testing.T) {
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		perSecond := rapid.Float64Range(2, 200).Draw(rt, "per second")
		demands := rapid.SliceOfN(rapid.Float64Range(0.1, 3), 3, 3).Draw(rt, "demand, of the limit")
		sumOfDemand := 0.0
		for i := range demands {
			demands[i] *= perSecond
			sumOfDemand += demands[i]
		}
		ctx, cancel := context.WithCancel(t.Context())
		var c cluster
		o := resilience.SharedRateLimitOptions{
			Name: "openai", PerSecond: perSecond,
			Store: &keptBuckets{latency: time.Duration(rapid.IntRange(0, 50).Draw(rt, "latency, ms")) * time.Millisecond},
		}
		c.start(ctx, t, o, demands...)
		defer c.wg.Wait()
		defer cancel()
		wait(10 * time.Second)
		const long = 40 * time.Second
		sum, each := c.count(long)
		want := perSecond * long.Seconds()
		if float64(sum) > 1.05*want+1 {
			rt.Fatalf("got %d calls through, %v, want at most %.0f and 5 %%", sum, each, want)
		}
		if sumOfDemand > 1.2*perSecond {
			exactly(rt, sum, each, want)
		}
	})
}

// The store away, from the start or later, leaves each replica its part.
func TestSharedRateLimitIsLocalWhileTheStoreIsAway(t *testing.T) {
	tests := []struct {
		name string
		out  func(*keptBuckets, bool)
	}{
		{"it fails", func(k *keptBuckets, out bool) { k.away.Store(out) }},
		{"it does not answer", func(k *keptBuckets, out bool) { k.mute.Store(out) }},
		{"it comes and goes", func(k *keptBuckets, out bool) {
			for range 60 {
				k.away.Store(out)
				wait(250 * time.Millisecond)
				k.away.Store(false)
				wait(250 * time.Millisecond)
			}
			k.away.Store(out)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var modes []string
				store := &keptBuckets{latency: 5 * time.Millisecond}
				ctx, cancel := context.WithCancel(t.Context())
				var c cluster
				c.start(ctx, t, resilience.SharedRateLimitOptions{
					Name: "openai", PerSecond: 90, Store: store,
					Observer: func(e resilience.Event) {
						if e.Kind == resilience.EventLimitChanged {
							mu.Lock()
							defer mu.Unlock()
							modes = append(modes, e.To)
						}
					},
				}, 300, 300, 300)
				defer c.wg.Wait()
				defer cancel()
				wait(10 * time.Second)
				c.wg.Go(func() { tt.out(store, true) })
				sum, each := c.count(2 * time.Minute)
				exactly(t, sum, each, 90*120)
				for _, s := range c.replicas {
					if stats := s.Stats(); !stats.Local || stats.Replicas != 3 {
						t.Errorf("got %+v, want it local and to remember 3 replicas", stats)
					}
				}
				store.away.Store(false)
				store.mute.Store(false)
				wait(10 * time.Second)
				sum, each = c.count(time.Minute)
				exactly(t, sum, each, 90*60)
				mu.Lock()
				defer mu.Unlock()
				if len(modes) < 6 || modes[len(modes)-1] != "shared" {
					t.Errorf("events: got %v, want each replica to go local and come back", modes)
				}
			})
		})
	}
}

func TestSharedRateLimitRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &keptBuckets{}
		s := mustShared(t, resilience.SharedRateLimitOptions{
			Name: "openai", PerSecond: 10, Store: store, Replica: "a", Replicas: 5, MaxWaiting: 10, MaxWait: time.Second,
		})
		if got, want := s.Stats(), (resilience.SharedRateLimitStats{Name: "openai", PerSecond: 10, Burst: 10, Replicas: 5, Local: true}); got != want {
			t.Errorf("before Run: got %+v, want %+v", got, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
		})
		synctest.Wait()
		if err := s.Run(ctx); !resilience.IsPermanent(err) {
			t.Errorf("a second Run: got %v, want a permanent error", err)
		}
		// One token is in hand; without, a call that may wait gets the next lease.
		start := time.Now()
		for _, want := range []time.Duration{0, 100 * time.Millisecond} {
			if err := s.Do(ctx, pass); err != nil || time.Since(start) != want {
				t.Errorf("got %v after %v, want no error after %v", err, time.Since(start), want)
			}
		}
		synctest.Wait()
		if got := s.Stats(); got.Local || got.Replicas != 1 || got.Tokens == 0 {
			t.Errorf("while Run runs: got %+v, want it shared and tokens in hand", got)
		}
		cancel()
		wg.Wait()
		if got := s.Stats(); !got.Local || got.Tokens != 0 || store.buckets["openai"].Tokens != 9 {
			t.Errorf("after Run: got %+v and %v tokens in the store, want it local and 9", got, store.buckets["openai"].Tokens)
		}
		if err := s.Run(nil); !resilience.IsPermanent(err) { //nolint:staticcheck // a nil context is what this is about
			t.Errorf("nil context: got %v, want a permanent error", err)
		}
	})
}

func TestSharedRateLimitRefusesWhatCannotWork(t *testing.T) {
	_, err := resilience.NewSharedRateLimit(resilience.SharedRateLimitOptions{PerSecond: -1, Replicas: -1, MaxWaiting: 1, Interval: -1})
	wantFields(t, err, "PerSecond is -1", "Interval is -1ns", "Name is missing", "Store is missing", "Replica is missing", "Replicas is -1", "MaxWait is 0s, but MaxWaiting is 1")
	_, err = resilience.NewSharedRateLimit(resilience.SharedRateLimitOptions{
		Name: "a", PerSecond: 100, Burst: 19, Store: &keptBuckets{}, Replica: "a",
	})
	wantFields(t, err, "Burst is 19; it must hold what two intervals of 100ms bring")
	refusesMisuse(t, mustShared(t, resilience.SharedRateLimitOptions{Name: "a", PerSecond: 100, Store: &keptBuckets{}, Replica: "a"}))
}
