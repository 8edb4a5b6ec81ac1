package bus_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestAFollowerBeginsWhereItIsToldTo(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s)
		publishHealth(t, b, health("x", bus.StateDegraded), 0)
		publishHealth(t, b, health("y", bus.StateDegraded), 0)
		publishHealth(t, b, health("x", bus.StateUnhealthy), 1)
		all := []string{"1 agent/x degraded", "2 agent/y degraded", "3 agent/x unhealthy", "4 agent/y healthy"}
		for _, tt := range []struct {
			name string
			from bus.HealthFollow
			want []string
		}{
			{"with what is new", bus.HealthFollow{}, all[3:]},
			{"with the last of each", bus.HealthFollow{Last: true}, all[1:]},
			{"after the first", bus.HealthFollow{After: 1}, all[1:]},
			{"after the last", bus.HealthFollow{After: 3}, all[3:]},
			{"after one that never was", bus.HealthFollow{After: 1 << 40}, all[3:]},
		} {
			h := followHealth(t, b, tt.from)
			await(t, "all that is stored", func() bool { return h.readies() == 1 })
			if got, want := h.told(), tt.want[:len(tt.want)-1]; !slices.Equal(got, want) {
				t.Errorf("%s, when it is ready: got %q, want %q", tt.name, got, want)
			}
			t.Cleanup(func() {
				h.stop()
				if got := h.told(); !slices.Equal(got, tt.want) {
					t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
				}
			})
		}
		publishHealth(t, b, health("y", bus.StateHealthy), 2)
		spend(t.Context(), 50*time.Millisecond)
	})
}

func TestAFollowerThatCannotBeginSoIsRefused(t *testing.T) {
	b := connectTo(t, bustest.Start(t), quiet())
	err := b.FollowHealth(t.Context(), bus.HealthFollow{Last: true, After: 1}, func(bus.StoredHealthEvent) {})
	if !errors.Is(err, bus.ErrInvalid) {
		t.Errorf("got %v, want invalid", err)
	}
}

// Events go on while connections break or go deaf, and while the broker restarts. Each
// follower hears each event once and in order.
func TestAFollowerHearsEachEventOnceAndInOrder(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				r := rand.New(rand.NewPCG(seed, 5))
				tell := &teller{connectTo(t, s, quiet()), map[string]uint64{}}
				b, w := wired(t, s)
				h := followHealth(t, b, bus.HealthFollow{Last: true})
				spend(t.Context(), time.Second)
				for range 20 {
					tell.tell(t, 1+r.IntN(20))
					long := time.Duration(r.Int64N(int64(5 * time.Second)))
					switch r.IntN(5) {
					case 0:
						w.sever(true)
						tell.tell(t, r.IntN(20))
						spend(t.Context(), long)
						w.sever(false)
					case 1:
						w.deafen(true)
						tell.tell(t, r.IntN(20))
						spend(t.Context(), long)
						w.deafen(false)
					case 2:
						w.deafen(true)
						tell.tell(t, r.IntN(20))
						w.sever(true)
						w.deafen(false)
						w.sever(false)
					case 3:
						s.Down(t)
						spend(t.Context(), long)
						s.Restart(t)
					default:
						spend(t.Context(), long)
					}
				}
				tell.tell(t, 1) // the broker is there again
				want := listHealth(t, tell.bus, bus.HealthFilter{})
				h.upTo(t, uint64(len(want)))
				if got := h.told(); !slices.Equal(got, want) {
					t.Errorf("told: got %d events, want %d, each once and in order:\ngot  %q\nwant %q", len(got), len(want), got, want)
				}
				if h.readies() < 5 {
					t.Errorf("ready: got %d times, want once after each outage", h.readies())
				}
			})
		})
	}
}

func TestAFollowerWaitsForItsStreamAndReadsOneThatIsMadeAnew(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		stream, err := b.JetStream().Stream(t.Context(), bus.StreamHealth)
		if err != nil {
			t.Fatal(err)
		}
		drop := func() {
			t.Helper()
			if err := b.JetStream().DeleteStream(t.Context(), bus.StreamHealth); err != nil {
				t.Fatal(err)
			}
		}
		drop()
		followers := []*heard{followHealth(t, b, bus.HealthFollow{}), followHealth(t, b, bus.HealthFollow{Last: true})}
		spend(t.Context(), 10*time.Second)
		create(t, b, stream.CachedInfo().Config)
		publishHealth(t, b, health("x", bus.StateDegraded), 0)
		publishHealth(t, b, health("y", bus.StateDegraded), 0)
		spend(t.Context(), 5*time.Second)
		drop()
		create(t, b, stream.CachedInfo().Config)
		publishHealth(t, b, health("z", bus.StateDegraded), 0)
		spend(t.Context(), 5*time.Second)
		want := []string{"1 agent/x degraded", "2 agent/y degraded", "1 agent/z degraded"}
		for i, h := range followers {
			if got := h.told(); !slices.Equal(got, want) {
				t.Errorf("follower %d: got %q, want %q", i, got, want)
			}
		}
	})
}

func TestAFollowerWhoseConsumerIsGoneGoesOn(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connectTo(t, s, quiet())
		h := followHealth(t, b, bus.HealthFollow{})
		for i := range uint64(3) {
			spend(t.Context(), 20*time.Second)
			stream, err := b.JetStream().Stream(t.Context(), bus.StreamHealth)
			if err != nil {
				t.Fatal(err)
			}
			for name := range stream.ConsumerNames(t.Context()).Name() {
				if err := stream.DeleteConsumer(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			h.upTo(t, publishHealth(t, b, health("x", bus.StateDegraded), i))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("an event was told after %s", took)
			}
		}
	})
}

func TestAnEventIsToldAtOnceAndForeignMessagesAreSkipped(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		var mu sync.Mutex
		lines := 0
		b := connectTo(t, s, testLogTo(func(string) {
			mu.Lock()
			defer mu.Unlock()
			lines++
		}))
		h := followHealth(t, b, bus.HealthFollow{Last: true})
		foreign := []string{
			"", "{", "null", "\x00\xff", `{"specversion":"1.0","id":"1","type":"com.example","subject":"agent/x"}`,
			`{"specversion":"1.0","id":"1","type":"genesis.health.degraded","subject":"agent/other","data":{"state":"degraded"}}`,
			`{"specversion":"1.0","id":"1","type":"genesis.health.sick","subject":"agent/x","data":{"state":"sick"}}`,
			`{"specversion":"1.0","type":"genesis.health.degraded","subject":"agent/x","data":{"state":"degraded"}}`,
		}
		var last uint64
		for range 2 {
			spend(t.Context(), 40*time.Second) // an idle pull ends, and the next one begins
			for _, text := range foreign {
				send(t, b, "genesis.health.agent.x", text)
			}
			send(t, b, "genesis.health.planet.earth", `{"specversion":"1.0","id":"1","type":"genesis.health.degraded","subject":"planet/earth","data":{"state":"degraded"}}`)
			began := time.Now()
			last = publishHealth(t, b, health("x", bus.StateDegraded), last)
			h.upTo(t, last)
			if took := time.Since(began); took > 50*time.Millisecond {
				t.Errorf("an event was told after %s", took)
			}
		}
		if got, want := h.told(), []string{"10 agent/x degraded", "20 agent/x degraded"}; !slices.Equal(got, want) {
			t.Errorf("told: got %q, want %q", got, want)
		}
		mu.Lock()
		defer mu.Unlock()
		if want := 2 * (len(foreign) + 1); lines != want {
			t.Errorf("log: got %d lines, want %d", lines, want)
		}
	})
}

// A message comes so late that the pull it belongs to has ended.
func TestAnEventThatComesTooLateIsToldAllTheSame(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		teller := connectTo(t, s, quiet())
		b, w := wired(t, s)
		h := followHealth(t, b, bus.HealthFollow{})
		await(t, "the first pull", func() bool { return h.readies() == 1 })
		spend(t.Context(), 28800*time.Millisecond)
		w.deafen(true)
		publishHealth(t, teller, health("x", bus.StateDegraded), 0)
		spend(t.Context(), 1700*time.Millisecond)
		w.deafen(false)
		publishHealth(t, teller, health("x", bus.StateHealthy), 1)
		spend(t.Context(), 5*time.Second)
		if got, want := h.told(), []string{"1 agent/x degraded", "2 agent/x healthy"}; !slices.Equal(got, want) {
			t.Errorf("told: got %q, want %q", got, want)
		}
	})
}
