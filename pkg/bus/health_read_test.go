package bus_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestTheLastEventOfEachOfManyComponentsIsRead(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		const n = 1200
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for j := i; j < n; j += 20 {
					agent := fmt.Sprintf("a%04d", j)
					first, err := b.PublishHealth(t.Context(), health(agent, bus.StateDegraded), 0)
					if err == nil && j%2 == 0 {
						_, err = b.PublishHealth(t.Context(), health(agent, bus.StateUnhealthy), first)
					}
					if err != nil {
						t.Errorf("publish: %v", err)
					}
				}
			})
		}
		wg.Wait()
		all, err := b.LastHealth(t.Context())
		if err != nil || len(all) != n {
			t.Fatalf("last events: got %d, %v, want %d", len(all), err, n)
		}
		for i, e := range all {
			want := bus.StateDegraded
			if i%2 == 0 {
				want = bus.StateUnhealthy
			}
			if e.Component.Name != fmt.Sprintf("a%04d", i) || e.Data.State != want {
				t.Fatalf("event %d: got %s %s, want a%04d %s", i, e.Component, e.Data.State, i, want)
			}
		}
		stream, err := b.JetStream().Stream(t.Context(), bus.StreamHealth)
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.CachedInfo().State.Consumers; got != 0 {
			t.Errorf("consumers left behind: got %d, want none", got)
		}
	})
}

func TestHealthEventsAreFiltered(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		publishHealth(t, b, health("a.b", bus.StateDegraded), 0)
		publishHealth(t, b, health("c", bus.StateUnhealthy), 0)
		send(t, b, "genesis.health.agent.c", "noise")
		spend(t.Context(), time.Minute)
		noon := time.Now()
		spend(t.Context(), time.Minute)
		publishHealth(t, b, health("a.b", bus.StateHealthy), 1)
		ledger := health("ledger", bus.StateUnhealthy)
		ledger.Component.Kind = bus.KindSystem
		publishHealth(t, b, ledger, 0)
		for _, tt := range []struct {
			filter bus.HealthFilter
			want   []string
		}{
			{bus.HealthFilter{}, []string{"1 agent/a.b degraded", "2 agent/c unhealthy", "4 agent/a.b healthy", "5 system/ledger unhealthy"}},
			{bus.HealthFilter{Kind: bus.KindSystem}, []string{"5 system/ledger unhealthy"}},
			{bus.HealthFilter{Name: "a.b"}, []string{"1 agent/a.b degraded", "4 agent/a.b healthy"}},
			{bus.HealthFilter{Kind: bus.KindAgent, State: bus.StateUnhealthy}, []string{"2 agent/c unhealthy"}},
			{bus.HealthFilter{After: noon}, []string{"4 agent/a.b healthy", "5 system/ledger unhealthy"}},
			{bus.HealthFilter{Name: "nobody"}, nil},
		} {
			if got := listHealth(t, b, tt.filter); !slices.Equal(got, tt.want) {
				t.Errorf("%+v: got %q, want %q", tt.filter, got, tt.want)
			}
		}
		for e, err := range b.HealthEvents(t.Context(), bus.HealthFilter{}) {
			if err != nil || e.Sequence != 1 {
				t.Errorf("the first: got %+v, %v", e, err)
			}
			break // a listing can be left
		}
		for _, f := range []bus.HealthFilter{{Kind: "planet"}, {State: "sick"}} {
			for _, err := range b.HealthEvents(t.Context(), f) {
				if !errors.Is(err, bus.ErrInvalid) {
					t.Errorf("%+v: got %v, want invalid", f, err)
				}
			}
		}
	})
}
