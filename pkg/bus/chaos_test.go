package bus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// chaotic is a worker's chaos that follows the bucket.
func chaotic(t *testing.T, b *bus.Bus, environment string) *resilience.Chaos {
	t.Helper()
	c, err := resilience.NewChaos(resilience.ChaosOptions{Environment: environment})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	runs(t, func() {
		if err := b.FollowChaos(ctx, c); err != nil {
			t.Errorf("follow chaos: %v", err)
		}
		if left := c.List(); len(left) > 0 {
			t.Errorf("scenarios after the end: got %v, want none", left)
		}
	})
	t.Cleanup(stop)
	return c
}

func addChaos(t *testing.T, b *bus.Bus, s bus.ChaosScenario) {
	t.Helper()
	if _, err := b.AddChaos(t.Context(), s); err != nil {
		t.Fatalf("add chaos %+v: %v", s, err)
	}
}

func atWork(c *resilience.Chaos) (names string) {
	for _, s := range c.List() {
		names += s.Name + " "
	}
	return names
}

func TestEveryWorkerInjectsWhatTheBucketHoldsWithinTwoSeconds(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		addChaos(t, b, bus.ChaosScenario{Kind: resilience.NetworkLatency, LatencyMS: 250, AffectedServices: []string{"llm"}, ExpiresAt: time.Now().Add(time.Hour)})
		first, second := chaotic(t, b, "staging"), chaotic(t, connectTo(t, s, quiet()), "staging")
		late := func(when, want string) {
			t.Helper()
			spend(t.Context(), 2*time.Second)
			for i, c := range []*resilience.Chaos{first, second} {
				if got := atWork(c); got != want {
					t.Errorf("%s, worker %d: got %q, want %q", when, i, got, want)
				}
			}
		}
		late("at the start", "network_latency ")
		if got := first.List()[0]; got.Latency != 250*time.Millisecond || got.Services[0] != "llm" || time.Until(got.Until) < 59*time.Minute {
			t.Errorf("scenario: got %+v", got)
		}
		addChaos(t, b, bus.ChaosScenario{Kind: resilience.ServiceFailure, ExpiresAt: time.Now().Add(time.Minute)})
		late("after another", "network_latency service_failure ")
		if err := b.RemoveChaos(t.Context(), "network_latency"); err != nil {
			t.Fatal(err)
		}
		late("after a removal", "service_failure ")
		spend(t.Context(), time.Minute)
		late("after its time", "")
		if list, err := b.ListChaos(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("list after its time: got %v, %v, want none", list, err)
		}
		for _, name := range []string{"network_latency", "never", "no/name"} {
			if err := b.RemoveChaos(t.Context(), name); !errors.Is(err, bus.ErrNotFound) {
				t.Errorf("remove %s: got %v, want %v", name, err, bus.ErrNotFound)
			}
		}
	})
}

func TestAnInjectedFailureIsWhatItsTypeSays(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		c := chaotic(t, b, "development")
		for errorType, class := range map[string]resilience.Class{
			"": resilience.ConnectionFailed, "connection": resilience.ConnectionFailed, "ConnectionError": resilience.ConnectionFailed,
			"timeout": resilience.TimedOut, "TimeoutError": resilience.TimedOut, "permanent": resilience.IsPermanent, "rejected": resilience.Rejected,
			"retry_after": func(err error) bool { d, asks := resilience.RetryDelay(err); return asks && d == time.Second },
		} {
			addChaos(t, b, bus.ChaosScenario{Kind: resilience.ServiceFailure, ErrorType: errorType})
			spend(t.Context(), time.Second)
			err := c.Service("llm").Do(t.Context(), func(context.Context) error { return nil })
			if !errors.Is(err, resilience.ErrChaos) || !class(err) {
				t.Errorf("error type %q: got %v", errorType, err)
			}
		}
	})
}

// Two transient failures stay two, however often the worker is told of them.
func TestWhatAScenarioHasCountedOutlivesAReconnect(t *testing.T) {
	s := bustest.Start(t)
	b := connectTo(t, s, quiet())
	c := chaotic(t, b, "development")
	addChaos(t, b, bus.ChaosScenario{Kind: resilience.TransientFailure, MaxOccurrences: 2})
	await(t, "the scenario", func() bool { return atWork(c) == "transient_failure " })
	fails := func() bool {
		return c.Service("llm").Do(t.Context(), func(context.Context) error { return nil }) != nil
	}
	for range 2 {
		if !fails() {
			t.Error("the first two calls: got a success, want failures")
		}
	}
	s.Restart(t)
	await(t, "the connection", func() bool {
		_, err := b.AddChaos(t.Context(), bus.ChaosScenario{Kind: resilience.NetworkLatency, LatencyMS: 1})
		return err == nil
	})
	await(t, "the next scenario", func() bool { return strings.Contains(atWork(c), "network_latency") })
	if fails() {
		t.Error("a third call: got a failure, want two in all")
	}
}

func TestWhatWasRemovedBehindAWorkersBackEnds(t *testing.T) {
	s := bustest.Start(t)
	b := connectTo(t, s, quiet())
	c := chaotic(t, b, "development")
	addChaos(t, b, bus.ChaosScenario{Kind: resilience.ServiceFailure})
	await(t, "the scenario", func() bool { return atWork(c) == "service_failure " })
	kv, err := b.JetStream().Stream(t.Context(), "KV_genesis_chaos")
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	await(t, "its end", func() bool { return atWork(c) == "" })
}

func TestAWorkerInProductionInjectsNothing(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		c := chaotic(t, b, "production")
		addChaos(t, b, bus.ChaosScenario{Kind: resilience.ServiceFailure})
		spend(t.Context(), 5*time.Second)
		if got := atWork(c); got != "" {
			t.Errorf("got %s, want nothing", got)
		}
	})
}

// A CPU spike needs Chaos.Run, which may begin after the worker was told.
func TestAScenarioThatCannotBeginYetBeginsLater(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		addChaos(t, b, bus.ChaosScenario{Kind: resilience.CPUSpike, CPULoad: 0.5, DurationSeconds: 0.5})
		c := chaotic(t, b, "development")
		spend(t.Context(), 3*time.Second)
		if got := atWork(c); got != "" {
			t.Fatalf("before Run: got %s, want nothing", got)
		}
		ctx, stop := context.WithCancel(t.Context())
		runs(t, func() { _ = c.Run(ctx) })
		t.Cleanup(stop)
		spend(t.Context(), 2*time.Second)
		if list := c.List(); len(list) != 1 || list[0].Load != 0.5 || list[0].Duration != 500*time.Millisecond {
			t.Errorf("after Run began: got %+v, want the spike", list)
		}
	})
}

func TestAScenarioThatCannotWorkIsRefusedWithAllThatIsWrong(t *testing.T) {
	b := connect(t, bustest.Start(t))
	for _, tt := range []struct {
		scenario bus.ChaosScenario
		want     []string
	}{
		{bus.ChaosScenario{}, []string{"Kind"}},
		{bus.ChaosScenario{Kind: "flood", Probability: 2}, []string{"Kind", "Probability"}},
		{bus.ChaosScenario{Kind: resilience.ServiceFailure, ErrorType: "odd", Probability: -1}, []string{`unknown error type "odd"`, "Probability"}},
		{bus.ChaosScenario{Kind: resilience.NetworkLatency, ErrorType: "timeout"}, []string{"Err"}},
		{bus.ChaosScenario{Kind: resilience.TransientFailure}, []string{"MaxOccurrences"}},
		{bus.ChaosScenario{Kind: resilience.DisableService}, []string{"Services"}},
		{bus.ChaosScenario{Kind: resilience.ServiceFailure, Name: "a.b"}, []string{"a.b"}},
		{bus.ChaosScenario{Kind: resilience.ServiceFailure, ExpiresAt: time.Now().Add(-time.Second)}, []string{"has expired"}},
		{bus.ChaosScenario{Kind: resilience.ServiceFailure, ExpiresAt: time.Now().Add(25 * time.Hour)}, []string{"more than 24h0m0s away"}},
	} {
		_, err := b.AddChaos(t.Context(), tt.scenario)
		if !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("%+v: got %v, want %v", tt.scenario, err, bus.ErrInvalid)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want it to say %s", tt.scenario, err, want)
			}
		}
	}
	if list, err := b.ListChaos(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: got %v, %v, want none", list, err)
	}
	if err := b.FollowChaos(t.Context(), nil); err == nil {
		t.Error("without a chaos: got no error")
	}
}

func TestNonsenseInTheChaosBucketIsIgnoredByWorkers(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		c := chaotic(t, b, "development")
		kv, err := b.JetStream().KeyValue(t.Context(), "genesis_chaos")
		if err != nil {
			t.Fatal(err)
		}
		for key, text := range map[string]string{"a": "{", "b": "{}", "c": `{"kind":"service_failure","expires_at":"2001-01-01T00:00:00Z","probability":7}`} {
			if _, err := kv.PutString(t.Context(), key, text); err != nil {
				t.Fatal(err)
			}
		}
		addChaos(t, b, bus.ChaosScenario{Kind: resilience.ServiceFailure})
		spend(t.Context(), 3*time.Second)
		if got, want := atWork(c), "service_failure "; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if _, err := b.ListChaos(t.Context()); err == nil || !strings.Contains(err.Error(), "read chaos a") {
			t.Errorf("list: got %v, want an error that names it", err)
		}
	})
}

func TestAWorkerTellsOfItsChaos(t *testing.T) {
	b := connect(t, bustest.Start(t))
	c := chaotic(t, b, "staging")
	addChaos(t, b, bus.ChaosScenario{Kind: resilience.ServiceFailure})
	await(t, "the scenario", func() bool { return atWork(c) != "" })
	_ = c.Service("llm").Do(t.Context(), func(context.Context) error { return nil })
	got, err := b.ChaosVerbs("a", "staging", c)[bus.CommandChaos](nil)
	r, ok := got.(bus.ChaosReply)
	if err != nil || !ok || r.Replica != "a" || r.Environment != "staging" || len(r.Scenarios) != 1 || r.Scenarios[0].Occurred != 1 {
		t.Errorf("got %+v, %v, want one scenario that hit one call", got, err)
	}
}
