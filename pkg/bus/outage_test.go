package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// keepPublishing publishes, again and again under one id until it is accepted, until
// ctx ends, and returns the ids that were.
func keepPublishing(ctx context.Context, b *bus.Bus, name string, pause time.Duration) (accepted []string) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprint(name, "-", i)
		for ctx.Err() == nil {
			_, err := b.Publish(ctx, bus.Envelope{Agent: "a", ID: id, Request: bus.Request{Prompt: "hi"}})
			if err == nil || errors.Is(err, bus.ErrExists) {
				accepted = append(accepted, id)
				break
			}
			spend(ctx, 20*time.Millisecond)
		}
		spend(ctx, pause)
	}
	return accepted
}

// flaky fails each first attempt, and every tenth request for good.
func flaky(ctx context.Context, j *bus.Job) (bus.Answer, error) {
	if len(j.ID)%10 == 0 && j.ID[len(j.ID)-1] == '0' {
		return bus.Answer{}, resilience.Permanent(errors.New("never"))
	}
	if j.Attempt == 1 && j.ID[len(j.ID)-1] == '5' {
		return bus.Answer{}, errors.New("once")
	}
	return answer(ctx, j)
}

// checkAnswered fails the test unless each request has one outcome.
func checkAnswered(t testing.TB, b *bus.Bus, ids []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%s was accepted twice", id)
		}
		seen[id] = true
		r := result(t, b, "a", id)
		_, err := b.DeadLetter(t.Context(), "a", id)
		if dead := err == nil; dead == r.Success {
			t.Errorf("%s: got %s and dead letter %v", id, r.Payload, dead)
		}
	}
	emptied(t, b, "a")
	// Some more may have been stored without a confirmation.
	if got := mustHold(t, b)[0]; got.Results < uint64(len(ids)) || got.Duplicates != 0 {
		t.Errorf("verify: got %+v, want %d results and no duplicates", got, len(ids))
	}
}

func TestAnOutageUnderLoadLosesNothing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		outage time.Duration
	}{{"a restart", 0}, {"of ten seconds", 10 * time.Second}, {"longer than AckWait and every patience", 50 * time.Second}} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b, w := connectQuiet(t, s, "a"), connectQuiet(t, s, "a")
				o := bus.PoolOptions{
					Agent: "a", Slots: 8, AckWait: 15 * time.Second, Logger: quiet(), Backoff: resilience.Backoff{InitialDelay: 50 * time.Millisecond},
					Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
						spend(ctx, 10*time.Millisecond)
						return flaky(ctx, j)
					},
				}
				p := run(t, w, o)
				o.Worker = "w2"
				run(t, b, o)
				ctx, cancel := context.WithCancel(t.Context())
				var mu sync.Mutex
				var ids []string
				var wg sync.WaitGroup
				for i := range 4 {
					wg.Go(func() {
						got := keepPublishing(ctx, b, fmt.Sprint("p", i), 15*time.Millisecond)
						mu.Lock()
						defer mu.Unlock()
						ids = append(ids, got...)
					})
				}
				for range 3 {
					spend(ctx, time.Second)
					s.Down(t)
					spend(ctx, tt.outage)
					s.Restart(t)
					before := len(p.settlements(t, 0))
					back := time.Now()
					p.settlements(t, before+1)
					if took := time.Since(back); took > 5*time.Second {
						t.Errorf("the pool took %s to go on", took)
					}
				}
				spend(ctx, time.Second)
				cancel()
				wg.Wait()
				if len(ids) < 200 {
					t.Errorf("accepted %d requests, want hundreds", len(ids))
				}
				checkAnswered(t, b, ids)
			})
		})
	}
}

// The connection breaks without a word from the broker, which forgets the pulls.
func TestAPoolGoesOnWhenItsConnectionBreaks(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b, w := connect(t, s, "a"), connectQuiet(t, s, "a")
		run(t, w, bus.PoolOptions{Agent: "a", Logger: quiet(), Handler: answer})
		for round := range 5 {
			spend(t.Context(), 3*time.Second) // both lanes wait
			if err := w.Conn().ForceReconnect(); err != nil {
				t.Fatal(err)
			}
			for _, lane := range bus.Lanes() {
				began := time.Now()
				id := publish(t, b, bus.Envelope{Agent: "a", Lane: lane, ID: fmt.Sprint(lane, round)}).ID
				result(t, b, "a", id)
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("round %d: the %s request took %s", round, lane, took)
				}
			}
		}
	})
}

// connectQuiet is connect for tests that break the connection.
func connectQuiet(t testing.TB, s *bustest.Server, agents ...string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s.InProcess()})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	createStreams(t, b, agents...)
	return b
}

func TestAPoolRecoversWhenItsConsumersAreGone(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		run(t, b, bus.PoolOptions{Agent: "a", Logger: quiet(), Handler: answer})
		var ids []string
		for round := range 4 {
			if round > 0 {
				for _, lane := range bus.Lanes() {
					if err := b.JetStream().DeleteConsumer(t.Context(), bus.RequestStream("a"), string(lane)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if round == 3 { // also when it looks a while later
				spend(t.Context(), time.Minute)
			}
			for _, lane := range bus.Lanes() {
				id := publish(t, b, bus.Envelope{Agent: "a", Lane: lane}).ID
				ids = append(ids, id)
				began := time.Now()
				result(t, b, "a", id)
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("round %d: the %s request took %s", round, lane, took)
				}
			}
		}
		checkAnswered(t, b, ids)
	})
}

func TestAConsumerThatVanishesDuringExecutionsLosesNothing(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		flood(t, b, bus.LaneInteractive, 20)
		p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 5, Logger: quiet(), Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			spend(ctx, time.Second)
			return answer(ctx, j)
		}})
		await(t, "the slots to fill", func() bool { return p.Stats().InUse == 5 })
		if err := b.JetStream().DeleteConsumer(t.Context(), bus.RequestStream("a"), string(bus.LaneInteractive)); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for i := range 20 {
			ids = append(ids, fmt.Sprint(bus.LaneInteractive, i))
		}
		checkAnswered(t, b, ids)
	})
}

func TestAPoolRecoversWhenItsStreamIsMadeAnew(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		run(t, b, bus.PoolOptions{Agent: "a", Logger: quiet(), Handler: answer})
		publish(t, b, bus.Envelope{Agent: "a", ID: "before"})
		result(t, b, "a", "before")
		stream, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.JetStream().DeleteStream(t.Context(), bus.RequestStream("a")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Publish(t.Context(), bus.Envelope{Agent: "a", Request: bus.Request{Prompt: "hi"}}); !errors.Is(err, bus.ErrUnknownAgent) {
			t.Errorf("publish without a stream: got %v, want unknown agent", err)
		}
		if _, err := b.Lag(t.Context(), "a", bus.LaneBatch); !errors.Is(err, bus.ErrUnknownAgent) {
			t.Errorf("lag without a stream: got %v, want unknown agent", err)
		}
		spend(t.Context(), time.Minute)
		create(t, b, stream.CachedInfo().Config)
		began := time.Now()
		publish(t, b, bus.Envelope{Agent: "a", ID: "after"})
		result(t, b, "a", "after")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the first request of the new stream took %s", took)
		}
	})
}

// While the results cannot be stored, requests wait; none is lost and none fails.
func TestRequestsWaitWhileResultsCannotBeStored(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		results, err := b.JetStream().Stream(t.Context(), bus.StreamResults)
		if err != nil {
			t.Fatal(err)
		}
		cfg := results.CachedInfo().Config
		if err := b.JetStream().DeleteStream(t.Context(), bus.StreamResults); err != nil {
			t.Fatal(err)
		}
		p := run(t, b, bus.PoolOptions{Agent: "a", Logger: quiet(), Handler: answer, AckWait: 10 * time.Second})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		for _, v := range verdicts(t, p, 2) {
			if v != bus.VerdictHeld {
				t.Errorf("verdict: got %s, want held", v)
			}
		}
		full := cfg
		full.MaxMsgs, full.Discard = 1, jetstream.DiscardNew
		create(t, b, full)
		send(t, b, bus.ResultSubject("a", "first"), "{}")
		for _, v := range verdicts(t, p, 4) {
			if v != bus.VerdictHeld {
				t.Errorf("verdict: got %s, want held", v)
			}
		}
		if err := b.JetStream().DeleteStream(t.Context(), bus.StreamResults); err != nil {
			t.Fatal(err)
		}
		create(t, b, cfg)
		if got := result(t, b, "a", "x"); !got.Success || got.Meta.RetryCount != 0 {
			t.Errorf("result: got %s, want success without a retry", got.Payload)
		}
	})
}
