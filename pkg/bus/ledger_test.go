package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

func history(t testing.TB, b *bus.Bus, id string) bus.History {
	t.Helper()
	h, err := b.History(t.Context(), "a", id)
	if err != nil {
		t.Fatalf("history of %s: %v", id, err)
	}
	return h
}

func TestALedgerTellsTheWholeStory(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		if err := b.EnsureConsumers(t.Context(), "a", ackWait); err != nil {
			t.Fatal(err)
		}
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		crash(t, b, 1)
		began := time.Now()
		p := run(t, b, bus.PoolOptions{
			Agent: "a", Worker: "w1", AckWait: ackWait, MaxAttempts: 2, Backoff: resilience.Backoff{InitialDelay: 10 * time.Second},
			Handler: func(_ context.Context, j *bus.Job) (bus.Answer, error) {
				if j.Deliveries == 2 {
					return bus.Answer{}, resilience.Reject("breaker open", 30*time.Second)
				}
				return bus.Answer{Rung: "primary"}, fmt.Errorf("boom %d", j.Attempt)
			},
		})
		p.settlements(t, 3)
		h := history(t, b, "x")
		type entry struct {
			kind              string
			attempt, delivery int
			delay             time.Duration
			text              string
			at                time.Duration
		}
		want := []entry{
			{bus.EntryCrashed, 0, 1, 0, "its worker died", 0},
			{bus.EntryRejected, 0, 2, 30 * time.Second, "breaker open", 0},
			{bus.EntryFailed, 1, 3, 10 * time.Second, "boom 1", 30 * time.Second},
			{bus.EntryFailed, 2, 4, 0, "boom 2", 40 * time.Second},
			{bus.EntryCondemned, 0, 4, 0, "boom 2", 40 * time.Second},
		}
		if len(h.Entries) != len(want) {
			t.Fatalf("ledger: got %+v, want %d entries", h.Entries, len(want))
		}
		for i, w := range want {
			got := h.Entries[i]
			if got.Kind != w.kind || got.Attempt != w.attempt || got.Delivery != uint64(w.delivery) || time.Duration(got.DelayMS)*time.Millisecond != w.delay ||
				!strings.Contains(got.Error, w.text) || got.At.Sub(began).Round(time.Second) != w.at {
				t.Errorf("entry %d: got %+v (after %s), want %+v", i, got, got.At.Sub(began), w)
			}
			if got.Kind != bus.EntryCrashed && (got.Worker != "w1" || got.Fingerprint == "") {
				t.Errorf("entry %d: got %+v, want the worker and a fingerprint", i, got)
			}
		}
		if h.Attempts != 2 || h.Condemned == nil || h.Condemned.Reason != bus.DeadExhausted || h.Condemned.Code != bus.CodeExhausted {
			t.Errorf("ledger: got %+v, want two attempts and the end", h)
		}
		if _, err := b.History(t.Context(), "a", "unknown"); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("history of a request without trouble: got %v, want not found", err)
		}
	})
}

func TestALedgerIsBounded(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		const attempts, rejections = 80, 150
		n := 0
		p := run(t, b, bus.PoolOptions{
			Agent: "a", MaxAttempts: attempts, Backoff: resilience.Backoff{InitialDelay: time.Millisecond, Factor: 1},
			Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
				if n++; n > attempts-1 && n <= attempts-1+rejections {
					return bus.Answer{}, resilience.Reject("breaker open", time.Millisecond)
				}
				if j.Attempt < attempts {
					return bus.Answer{}, errors.New(strings.Repeat("long ", 1000))
				}
				return answer(ctx, j)
			},
		})
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		if got := result(t, b, "a", "x"); !got.Success || got.Meta.RetryCount != attempts-1 {
			t.Errorf("result: got %s, want success after %d retries", got.Payload, attempts-1)
		}
		p.settlements(t, attempts+rejections)
		h := history(t, b, "x")
		last := h.Entries[len(h.Entries)-1]
		if len(h.Entries) != 64 || h.Dropped != attempts-64 || h.Attempts != attempts-1 || last.Kind != bus.EntryRejected || last.Count != rejections {
			t.Errorf("ledger: got %d entries, %d dropped, %d attempts, the last %s x %d; want 64, %d, %d, rejected x %d",
				len(h.Entries), h.Dropped, h.Attempts, last.Kind, last.Count, attempts-64, attempts-1, rejections)
		}
		for _, e := range h.Entries {
			if len(e.Error) > 1100 {
				t.Fatalf("an entry has an error of %d bytes", len(e.Error))
			}
		}
	})
}

// A replay is another message: its counters start anew, and the story goes on.
func TestAReplayStartsNewCountersAndKeepsTheStory(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		if err := b.EnsureConsumers(t.Context(), "a", ackWait); err != nil {
			t.Fatal(err)
		}
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		for run := range 2 {
			crash(t, b, 1)
			d := buryPending(t, b, "x")
			if d.Attempts != 1 || d.Deliveries != 2 {
				t.Errorf("dead letter %d: got %+v, want one attempt in two deliveries", run, d)
			}
			want := slices.Repeat([]string{bus.EntryCrashed, bus.EntryFailed, bus.EntryCondemned}, run+1)
			if got := kinds(t, b, "x"); !slices.Equal(got, want) {
				t.Errorf("ledger of run %d: got %v, want %v", run, got, want)
			}
			if h := history(t, b, "x"); h.Attempts != 1 || h.Sequence != uint64(run+1) {
				t.Errorf("ledger of run %d: got %+v, want one attempt of message %d", run, h, run+1)
			}
			if err := b.Replay(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Two messages with one id fail at the same time: the ledger of one must not make the
// other look as if it had crashed its workers.
func TestTwoMessagesWithOneIDDoNotSpoilEachOthersCounters(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		const n = 3
		var mu sync.Mutex
		attempts := map[time.Time][]int{}
		p := run(t, b, bus.PoolOptions{
			Agent: "a", Slots: n, MaxAttempts: 4, Backoff: resilience.Backoff{InitialDelay: time.Second, Factor: 1},
			Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
				spend(ctx, 500*time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				attempts[j.Published] = append(attempts[j.Published], j.Attempt)
				return bus.Answer{}, errors.New("boom")
			},
		})
		for range n {
			send(t, b, "genesis.requests.a", `{"id":"x","prompt":"hi"}`)
			spend(t.Context(), time.Millisecond)
		}
		emptied(t, b, "a")
		p.stop()
		d := letter(t, b, "a", "x")
		if d.Reason != bus.DeadExhausted {
			t.Errorf("dead letter: got %s after %v, want exhausted", d.Reason, attempts)
		}
		for at, list := range attempts {
			if len(list) > 4 {
				t.Errorf("message of %s: executed as attempts %v, want 4 at most", at, list)
			}
		}
		mustHold(t, b)
	})
}
