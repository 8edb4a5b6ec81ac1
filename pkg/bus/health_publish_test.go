package bus_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// health is an event of an agent.
func health(agent string, state bus.HealthState) bus.HealthEvent {
	return bus.HealthEvent{
		Component: bus.Component{Kind: bus.KindAgent, Name: agent},
		Data:      bus.HealthData{State: state, Previous: bus.StateHealthy, Reason: "a test"},
	}
}

func publishHealth(t testing.TB, b *bus.Bus, e bus.HealthEvent, after uint64) uint64 {
	t.Helper()
	sequence, err := b.PublishHealth(t.Context(), e, after)
	if err != nil {
		t.Fatalf("publish %s of %s after %d: %v", e.Data.State, e.Component, after, err)
	}
	return sequence
}

// listHealth is what a filter selects, in short.
func listHealth(t testing.TB, b *bus.Bus, f bus.HealthFilter) (out []string) {
	t.Helper()
	for e, err := range b.HealthEvents(t.Context(), f) {
		if err != nil {
			t.Fatalf("health events of %+v: %v", f, err)
		}
		out = append(out, fmt.Sprintf("%d %s %s", e.Sequence, e.Component, e.Data.State))
	}
	return out
}

func TestAHealthEventIsStoredWithAnIDATimeAndItsMediaType(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		spend(t.Context(), time.Second)
		publishHealth(t, b, health("echo", bus.StateDegraded), 0)
		stream, err := b.JetStream().Stream(t.Context(), bus.StreamHealth)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := stream.GetLastMsgForSubject(t.Context(), "genesis.health.agent.echo")
		if err != nil {
			t.Fatal(err)
		}
		if got := msg.Header.Get("Content-Type"); got != "application/cloudevents+json" {
			t.Errorf("Content-Type: got %q", got)
		}
		all, err := b.LastHealth(t.Context())
		if err != nil || len(all) != 1 || all[0].ID == "" || !all[0].Time.Equal(time.Now()) || all[0].Data.Reason != "a test" {
			t.Errorf("last events: got %+v, %v, want the one with an id, of now", all, err)
		}
	})
}

func TestOfSeveralWhoPublishTheSameChangeOneIsHeard(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		var last uint64
		for round := range 5 {
			var mu sync.Mutex
			var wg sync.WaitGroup
			var won []uint64
			for range 8 {
				wg.Go(func() {
					sequence, err := b.PublishHealth(t.Context(), health("echo", bus.StateDegraded), last)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won = append(won, sequence)
					} else if !errors.Is(err, bus.ErrExists) {
						t.Errorf("round %d: %v, want already exists", round, err)
					}
				})
			}
			wg.Wait()
			if len(won) != 1 {
				t.Fatalf("round %d: %d were stored, want one", round, len(won))
			}
			last = won[0]
		}
		if _, err := b.PublishHealth(t.Context(), health("echo", bus.StateHealthy), 0); !errors.Is(err, bus.ErrExists) {
			t.Errorf("as if nobody had published: got %v, want already exists", err)
		}
		if got := listHealth(t, b, bus.HealthFilter{}); len(got) != 5 {
			t.Errorf("stored: got %q, want five events", got)
		}
	})
}

// What is published is stored, and its confirmation comes too late or never.
func TestAnEventWithoutAConfirmationIsFoundAndStoredOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		wait time.Duration
		mend func(w *wire)
	}{
		{"the confirmation is late", 7 * time.Second, func(w *wire) { w.deafen(false) }},
		{"the connection breaks", time.Second, func(w *wire) {
			w.sever(true)
			w.deafen(false)
			w.sever(false)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				other := connectTo(t, s, quiet())
				b, w := wired(t, s)
				before := publishHealth(t, b, health("echo", bus.StateDegraded), 0)
				w.deafen(true)
				var wg sync.WaitGroup
				wg.Go(func() {
					spend(t.Context(), tt.wait)
					tt.mend(w)
				})
				sequence, err := b.PublishHealth(t.Context(), health("echo", bus.StateUnhealthy), before)
				wg.Wait()
				if err != nil || sequence != before+1 {
					t.Errorf("publish: got %d, %v, want %d", sequence, err, before+1)
				}
				want := []string{"1 agent/echo degraded", "2 agent/echo unhealthy"}
				if got := listHealth(t, other, bus.HealthFilter{}); !slices.Equal(got, want) {
					t.Errorf("stored: got %q, want %q", got, want)
				}
			})
		})
	}
}

func TestWithoutABrokerPublishingHealthFailsAtOnce(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		s.Down(t)
		await(t, "the connection to break", func() bool { return !b.Connected() })
		began := time.Now()
		if _, err := b.PublishHealth(t.Context(), health("echo", bus.StateDegraded), 0); !errors.Is(err, bus.ErrUnavailable) || errors.Is(err, bus.ErrExists) {
			t.Errorf("publish: got %v, want unavailable", err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if all, err := b.LastHealth(t.Context()); !errors.Is(err, bus.ErrUnavailable) {
			t.Errorf("last events: got %v, %v, want unavailable", all, err)
		}
	})
}

// The stream keeps events for a week; a state may last longer.
func TestAfterAnEventThatExpiredOneCanPublish(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		last := publishHealth(t, b, health("echo", bus.StateDegraded), 0)
		other := publishHealth(t, b, health("other", bus.StateDegraded), 0)
		stream, err := b.JetStream().Stream(t.Context(), bus.StreamHealth)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := publishHealth(t, b, health("echo", bus.StateHealthy), last); got != other+1 {
			t.Errorf("sequence: got %d, want %d", got, other+1)
		}
	})
}

func TestAForeignMessageDoesNotBlockASubject(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		for i, text := range []string{"", "{", `{"specversion":"1.0","id":"1","type":"genesis.health.degraded","subject":"agent/other","data":{"state":"degraded"}}`} {
			agent := fmt.Sprint("a", i)
			send(t, b, "genesis.health.agent."+agent, text)
			if got := publishHealth(t, b, health(agent, bus.StateDegraded), 0); got == 0 {
				t.Error("got no sequence")
			}
		}
		if all, err := b.LastHealth(t.Context()); err != nil || len(all) != 3 {
			t.Errorf("last events: got %+v, %v, want three", all, err)
		}
	})
}

func TestAnEventThatBreaksTheContractIsNotPublished(t *testing.T) {
	b := connect(t, bustest.Start(t))
	nan := math.NaN()
	for name, change := range map[string]func(*bus.HealthEvent){
		"an unknown kind":  func(e *bus.HealthEvent) { e.Component.Kind = "planet" },
		"no name":          func(e *bus.HealthEvent) { e.Component.Name = "" },
		"no state":         func(e *bus.HealthEvent) { e.Data.State = "" },
		"an unknown state": func(e *bus.HealthEvent) { e.Data.State = "sick" },
		"no number":        func(e *bus.HealthEvent) { e.Data.OldestAge = &nan },
	} {
		e := health("echo", bus.StateDegraded)
		change(&e)
		if _, err := b.PublishHealth(t.Context(), e, 0); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	if err := b.JetStream().DeleteStream(t.Context(), bus.StreamHealth); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PublishHealth(t.Context(), health("echo", bus.StateDegraded), 0); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("without a stream: got %v, want unavailable", err)
	}
}
