package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func mustChaos(t testing.TB, o resilience.ChaosOptions) *resilience.Chaos {
	t.Helper()
	if o.Environment == "" {
		o.Environment = "staging"
	}
	c, err := resilience.NewChaos(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustAdd(t rapid.TB, c *resilience.Chaos, s resilience.Scenario) {
	t.Helper()
	if err := c.Add(s); err != nil {
		t.Fatalf("%v", err)
	}
}

// pattern returns which of the calls of each service fail, the services' calls
// mixed in some order.
func pattern(t testing.TB, seed uint64, order []string) map[string]string {
	t.Helper()
	c := mustChaos(t, resilience.ChaosOptions{Seed: seed})
	mustAdd(t, c, resilience.Scenario{Kind: resilience.ServiceFailure, Probability: 0.3})
	met := map[string]string{}
	for _, service := range order {
		mark := "."
		if c.Service(service).Do(t.Context(), pass) != nil {
			mark = "x"
		}
		met[service] += mark
	}
	return met
}

func TestChaosSameSeedSameFaults(t *testing.T) {
	inTurn := slices.Repeat([]string{"llm", "database"}, 200)
	sorted := slices.Sorted(slices.Values(inTurn))
	first, again, other := pattern(t, 7, inTurn), pattern(t, 7, sorted), pattern(t, 8, inTurn)
	for _, service := range []string{"llm", "database"} {
		if first[service] != again[service] {
			t.Errorf("%s: got %s, want %s as with the same seed before", service, again[service], first[service])
		}
		if first[service] == other[service] {
			t.Errorf("%s: got %s with another seed too", service, other[service])
		}
	}
	if first["llm"] == first["database"] {
		t.Errorf("got the same faults for both services: %s", first["llm"])
	}
}

func TestChaosKeepsItsProbability(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const calls = 4000
		probability := rapid.Float64Range(0.01, 1).Draw(rt, "probability")
		c := mustChaos(t, resilience.ChaosOptions{Seed: rapid.Uint64().Draw(rt, "seed")})
		mustAdd(rt, c, resilience.Scenario{Kind: resilience.ServiceFailure, Probability: probability})
		service := c.Service(rapid.String().Draw(rt, "service"))
		failed := 0.0
		for range calls {
			if service.Do(t.Context(), pass) != nil {
				failed++
			}
		}
		// Six times the standard deviation, at most: once in 10^9.
		if off := failed/calls - probability; off > 0.05 || off < -0.05 {
			rt.Fatalf("got %v of the calls, want %v", failed/calls, probability)
		}
	})
}

func TestChaosMaxOccurrencesIsExactUnderConcurrency(t *testing.T) {
	c := mustChaos(t, resilience.ChaosOptions{})
	mustAdd(t, c, resilience.Scenario{Kind: resilience.TransientFailure, MaxOccurrences: 100})
	var failed atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			service := c.Service(fmt.Sprint(i % 2))
			for range 100 {
				if service.Do(t.Context(), pass) != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if list := c.List(); failed.Load() != 100 || list[0].Occurred != 100 {
		t.Errorf("got %d failures and %d occurrences, want 100", failed.Load(), list[0].Occurred)
	}
}

func TestChaosFailureSaysWhatItIs(t *testing.T) {
	c := mustChaos(t, resilience.ChaosOptions{})
	mustAdd(t, c, resilience.Scenario{Kind: resilience.ServiceFailure, Err: resilience.Permanent(errBoom)})
	err := c.Service("database").Do(t.Context(), pass)
	if got, want := message(err), "database: boom (service_failure, chaos)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var injected *resilience.ChaosError
	if !errors.As(err, &injected) || !errors.Is(err, errBoom) || !resilience.IsPermanent(err) {
		t.Errorf("got %#v, want a ChaosError with the scenario's error and verdict", err)
	}
}

func TestChaosLatencyEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustChaos(t, resilience.ChaosOptions{})
		mustAdd(t, c, resilience.Scenario{Kind: resilience.NetworkLatency, Latency: time.Hour})
		err := resilience.Timeout{Limit: time.Second}.Do(t.Context(), func(ctx context.Context) error {
			return c.Service("llm").Do(ctx, pass)
		})
		if !errors.Is(err, resilience.ErrTimeout) {
			t.Errorf("got %v, want the timeout", err)
		}
	})
}

func TestChaosForceAndDisable(t *testing.T) {
	c := mustChaos(t, resilience.ChaosOptions{})
	mustAdd(t, c, resilience.Scenario{Kind: resilience.ServiceFailure, Probability: 1e-9, Err: errBoom, Services: []string{"llm"}})
	if err := c.Force(resilience.ServiceFailure, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Service("llm").Do(t.Context(), pass); !errors.Is(err, errBoom) {
		t.Errorf("forced: got %v, want its own error", err)
	}
	if err := c.Service("database").Do(t.Context(), pass); err != nil {
		t.Errorf("forced: got %v for a service it does not affect", err)
	}
	if err := c.Disable("database"); err != nil {
		t.Fatal(err)
	}
	if err := c.Service("database").Do(t.Context(), pass); !errors.Is(err, resilience.ErrChaos) {
		t.Errorf("disabled: got %v, want a failure", err)
	}
	if !c.Remove("disable_service:database") || c.Service("database").Do(t.Context(), pass) != nil {
		t.Error("enabled again: got a failure")
	}
	c.Clear()
	if err := c.Service("llm").Do(t.Context(), pass); err != nil || c.List() != nil {
		t.Errorf("cleared: got %v and %v", err, c.List())
	}
}

func TestChaosCPUSpike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []resilience.Event
		c := mustChaos(t, resilience.ChaosOptions{Observer: func(e resilience.Event) { events = append(events, e) }})
		var busy atomic.Int64
		c.SetCompute(func(d time.Duration) { busy.Add(int64(d)); wait(d) })
		if err := c.Add(resilience.Scenario{Kind: resilience.CPUSpike}); !resilience.IsPermanent(err) {
			t.Errorf("without Run: got %v, want a permanent error", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
		})
		synctest.Wait()
		if err := c.Run(ctx); !resilience.IsPermanent(err) {
			t.Errorf("a second Run: got %v, want a permanent error", err)
		}
		mustAdd(t, c, resilience.Scenario{Kind: resilience.CPUSpike, Load: 0.5, Duration: 10 * time.Second, MaxOccurrences: 1})
		start := time.Now()
		if err := c.Service("llm").Do(t.Context(), pass); err != nil || time.Since(start) != 0 {
			t.Errorf("got %v after %v, want the call itself untouched", err, time.Since(start))
		}
		wait(time.Minute)
		want := 5 * time.Second * time.Duration(runtime.GOMAXPROCS(0))
		if got := time.Duration(busy.Load()); got < want*98/100 || got > want*102/100 {
			t.Errorf("got %v computed, want %v: half of 10 s on every core", got, want)
		}
		if len(events) != 1 || events[0].Reason != "cpu_spike" || events[0].Duration != 10*time.Second {
			t.Errorf("events: got %+v, want the spike", events)
		}
		mustAdd(t, c, resilience.Scenario{Kind: resilience.CPUSpike, Duration: time.Hour})
		_ = c.Service("llm").Do(t.Context(), pass)
		wait(time.Second)
		cancel() // ends a spike, and Run with it
		wg.Wait()
	})
}

func ExampleChaos() {
	chaos, err := resilience.NewChaos(resilience.ChaosOptions{Environment: "staging", Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	database := chaos.Service("database") // the innermost policy of its chain
	err = chaos.Add(resilience.Scenario{Kind: resilience.TransientFailure, MaxOccurrences: 2, Services: []string{"database"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		fmt.Println(database.Do(context.Background(), func(context.Context) error { return nil }))
	}
	// Output:
	// database: connection refused (transient_failure, chaos)
	// database: connection refused (transient_failure, chaos)
	// <nil>
}

func BenchmarkChaos(b *testing.B) {
	c := mustChaos(b, resilience.ChaosOptions{})
	service := c.Service("llm")
	b.Run("off", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = service.Do(b.Context(), pass)
		}
	})
	b.Run("at work", func(b *testing.B) {
		mustAdd(b, c, resilience.Scenario{Kind: resilience.ServiceFailure, Probability: 1e-9})
		b.ReportAllocs()
		for b.Loop() {
			_ = service.Do(b.Context(), pass)
		}
	})
}
