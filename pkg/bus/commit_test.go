package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// connectGrouped is connect with group commit.
func connectGrouped(t testing.TB, s *bustest.Server, agents ...string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Options{InProcess: s.InProcess(), GroupCommit: true})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	createStreams(t, b, agents...)
	return b
}

type published struct {
	receipt bus.Receipt
	err     error
}

// publishAll publishes all envelopes at the same time.
func publishAll(ctx context.Context, b *bus.Bus, all []bus.Envelope) []published {
	out := make([]published, len(all))
	var wg sync.WaitGroup
	for i, e := range all {
		wg.Go(func() {
			if e.Request.Prompt == "" {
				e.Request.Prompt = "hi"
			}
			out[i].receipt, out[i].err = b.Publish(ctx, e)
		})
	}
	wg.Wait()
	return out
}

// checkStored compares what was accepted with what the queue holds.
func checkStored(t *testing.T, b *bus.Bus, agent string, all []published) int {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), bus.RequestStream(agent))
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for _, p := range all {
		if p.err != nil {
			continue
		}
		accepted++
		msg, err := s.GetMsg(t.Context(), p.receipt.Sequence)
		if err != nil || msg.Subject != bus.RequestSubject(agent, p.receipt.Lane, p.receipt.ID) {
			t.Errorf("sequence %d: got %+v, %v, want the request %s", p.receipt.Sequence, msg, err, p.receipt.ID)
		}
	}
	if n := queued(t, b, agent); n != uint64(accepted) {
		t.Errorf("queue: got %d messages, want the %d accepted ones", n, accepted)
	}
	return accepted
}

func TestAGroupIsStoredOnceWithTheRightSequences(t *testing.T) {
	b := connectGrouped(t, bustest.Start(t, bustest.SyncAlways()), "a")
	all := make([]bus.Envelope, 500)
	for i := range all {
		all[i] = bus.Envelope{Agent: "a", ID: fmt.Sprintf("x%d", i)}
		if i%3 == 0 {
			all[i].Lane = bus.LaneBatch
		}
	}
	got := publishAll(t.Context(), b, all)
	for i, p := range got {
		if p.err != nil || p.receipt.ID != all[i].ID {
			t.Fatalf("publish %s: got %+v, %v", all[i].ID, p.receipt, p.err)
		}
	}
	checkStored(t, b, "a", got)
	s, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
	if err != nil || s.CachedInfo().State.LastSeq != 500 {
		t.Errorf("stream: got %+v, %v, want 500 sequences in all", s.CachedInfo().State, err)
	}
}

// Members of a group that the broker refuses learn it, and the others are stored.
func TestOneRefusedMemberDoesNotSpoilItsGroup(t *testing.T) {
	for _, tt := range []struct {
		name  string
		agent string
		spoil func(*bus.Envelope)
		want  error
		once  bool // one of those that are alike is accepted
	}{
		{"an id that is pending", "a", func(e *bus.Envelope) { e.ID = "taken" }, bus.ErrExists, false},
		{"one id twice in the group", "a", func(e *bus.Envelope) { e.ID = "twice" }, bus.ErrExists, true},
		{"a payload above the stream's limit", "small", func(e *bus.Envelope) { e.Request.Prompt = strings.Repeat("x", 4<<10) }, bus.ErrTooLarge, false},
		{"a payload above the broker's limit", "a", func(e *bus.Envelope) { e.Request.Prompt = strings.Repeat("x", 80<<10) }, bus.ErrTooLarge, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := connectGrouped(t, bustest.Start(t, bustest.MaxPayload(64<<10)), "a", "small")
			reconfigure(t, b, bus.RequestStream("small"), func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1024 })
			earlier := publishAll(t.Context(), b, []bus.Envelope{{Agent: tt.agent, ID: "taken"}})
			all := make([]bus.Envelope, 200)
			spoilt := []int{20, 120, 180}
			for i := range all {
				all[i] = bus.Envelope{Agent: tt.agent, ID: fmt.Sprintf("x%d", i)}
				if slices.Contains(spoilt, i) {
					tt.spoil(&all[i])
				}
			}
			got := publishAll(t.Context(), b, all)
			accepted := 0
			for i, p := range got {
				if !slices.Contains(spoilt, i) {
					if p.err != nil {
						t.Errorf("publish %d: got %v, want success", i, p.err)
					}
					continue
				}
				if p.err == nil {
					accepted++
				} else if !errors.Is(p.err, tt.want) {
					t.Errorf("publish %d: got %v, want %v", i, p.err, tt.want)
				}
			}
			if want := map[bool]int{true: 1}[tt.once]; accepted != want {
				t.Errorf("accepted %d of %d spoilt ones, want %d", accepted, len(spoilt), want)
			}
			checkStored(t, b, tt.agent, append(got, earlier...))
		})
	}
}

func TestAGroupFillsAStreamToItsLimit(t *testing.T) {
	b := connectGrouped(t, bustest.Start(t), "a")
	reconfigure(t, b, bus.RequestStream("a"), func(c *jetstream.StreamConfig) { c.MaxMsgs = 130 })
	got := publishAll(t.Context(), b, slices.Repeat([]bus.Envelope{{Agent: "a"}}, 200))
	for _, p := range got {
		if p.err != nil && !errors.Is(p.err, bus.ErrFull) {
			t.Fatalf("publish: got %v, want success or full", p.err)
		}
	}
	if n := checkStored(t, b, "a", got); n != 130 {
		t.Errorf("accepted %d, want 130", n)
	}
}

func TestAGroupForAnUnknownAgentIsToldSo(t *testing.T) {
	b := connectGrouped(t, bustest.Start(t), "a")
	for _, p := range publishAll(t.Context(), b, slices.Repeat([]bus.Envelope{{Agent: "nobody"}}, 60)) {
		if !errors.Is(p.err, bus.ErrUnknownAgent) {
			t.Fatalf("publish: got %v, want unknown agent", p.err)
		}
	}
}

// Whoever gives up while queued leaves the queue at work for the others.
func TestPublishersThatGiveUpDoNotStopTheGroup(t *testing.T) {
	b := connectGrouped(t, bustest.Start(t, bustest.SyncAlways()), "a")
	var patient, hasty []published
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for round := range 10 {
		wg.Go(func() {
			if round == 5 {
				cancel()
			}
		})
		wg.Go(func() { publishAll(ctx, b, slices.Repeat([]bus.Envelope{{Agent: "a", Lane: bus.LaneBatch}}, 50)) })
	}
	var mu sync.Mutex
	for range 4 {
		wg.Go(func() {
			got := publishAll(t.Context(), b, slices.Repeat([]bus.Envelope{{Agent: "a"}}, 50))
			mu.Lock()
			defer mu.Unlock()
			patient = append(patient, got...)
		})
	}
	wg.Wait()
	for _, p := range patient {
		if p.err != nil {
			t.Fatalf("a patient publisher: got %v, want success", p.err)
		}
	}
	hasty = publishAll(t.Context(), b, slices.Repeat([]bus.Envelope{{Agent: "a"}}, 40)) // the queue still works
	for _, p := range hasty {
		if p.err != nil {
			t.Fatalf("a later publisher: got %v, want success", p.err)
		}
	}
}

// A leader works for others and may outstay its own context for it, but not for long.
func TestAGroupDoesNotWaitForASilentBrokerForLongerThanFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := connectGrouped(t, bustest.Start(t, bustest.NoListen()))
		if _, err := b.Conn().Subscribe("genesis.requests.>", func(*nats.Msg) {}); err != nil { // takes all, answers nothing
			t.Fatal(err)
		}
		for _, patience := range []time.Duration{200 * time.Millisecond, time.Hour} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			began := time.Now()
			for _, p := range publishAll(ctx, b, slices.Repeat([]bus.Envelope{{Agent: "a"}}, 3)) {
				if !errors.Is(p.err, bus.ErrUnavailable) {
					t.Errorf("publish: got %v, want unavailable", p.err)
				}
			}
			cancel()
			if took := time.Since(began); took > 11*time.Second { // a follower may have to lead afterwards
				t.Errorf("publish with %s of patience took %s, want two turns of 5 s at most", patience, took)
			}
		}
	})
}

func TestAGroupFailsAtOnceWhileTheBrokerIsAwayAndRecoversByItself(t *testing.T) {
	s := bustest.Start(t)
	b := connectGrouped(t, s, "a")
	s.Down(t)
	await(t, "the connection to break", func() bool { return !b.Connected() })
	for _, p := range publishAll(t.Context(), b, slices.Repeat([]bus.Envelope{{Agent: "a"}}, 100)) {
		if !errors.Is(p.err, bus.ErrUnavailable) || p.receipt.ID == "" {
			t.Fatalf("publish: got %+v, %v, want unavailable and the id", p.receipt, p.err)
		}
	}
	s.Restart(t)
	await(t, "a publish to succeed", func() bool {
		_, err := b.Publish(t.Context(), bus.Envelope{Agent: "a", Request: bus.Request{Prompt: "hi"}})
		return err == nil
	})
}
