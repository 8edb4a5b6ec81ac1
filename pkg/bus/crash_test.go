package bus_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// crash plays, in virtual time, a worker that dies: it fetches n messages and never
// says a word again, until the broker gives up waiting for it.
func crash(t testing.TB, b *bus.Bus, n int) {
	t.Helper()
	take(t, b, n)
	spend(t.Context(), ackWait+10*time.Millisecond)
}

// take fetches n messages behind the pool's back.
func take(t testing.TB, b *bus.Bus, n int) {
	t.Helper()
	c, err := b.JetStream().Consumer(t.Context(), bus.RequestStream("a"), string(bus.LaneInteractive))
	if err != nil {
		t.Fatalf("consumer: %v", err)
	}
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(5*time.Minute))
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	got := 0
	for range batch.Messages() {
		got++
	}
	if got != n {
		t.Fatalf("fetch: got %d messages, want %d", got, n)
	}
}

const ackWait = 3 * time.Second

func TestARequestThatKillsItsWorkersIsPoison(t *testing.T) {
	for _, tt := range []struct {
		crashes    int
		maxCrashes int
		poison     bool
	}{{1, 0, false}, {2, 0, false}, {3, 0, true}, {1, 1, true}, {4, 5, false}} {
		t.Run(fmt.Sprintf("%d crashes of %d", tt.crashes, tt.maxCrashes), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				if err := b.EnsureConsumers(t.Context(), "a", ackWait); err != nil {
					t.Fatal(err)
				}
				publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
				for range tt.crashes {
					crash(t, b, 1)
				}
				calls := 0
				p := run(t, b, bus.PoolOptions{Agent: "a", AckWait: ackWait, MaxCrashes: tt.maxCrashes, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
					calls++
					return answer(ctx, j)
				}})
				got := result(t, b, "a", "x")
				p.settlements(t, 1)
				if tt.poison {
					d := letter(t, b, "a", "x")
					if calls != 0 || got.Success || got.Error.Code != bus.CodePoison || d.Reason != bus.DeadPoison || d.Attempts != 0 || d.Deliveries != uint64(tt.crashes)+1 {
						t.Errorf("got %d executions, %s, %+v, want poison before another execution", calls, got.Payload, d)
					}
					if k := kinds(t, b, "x"); !slices.Equal(k, []string{"crashed", "condemned"}) {
						t.Errorf("ledger: got %v, want the crashes and the end", k)
					}
				} else if calls != 1 || !got.Success || got.Meta.RetryCount != 0 || got.Meta.Deliveries != uint64(tt.crashes)+1 {
					t.Errorf("got %d executions, %s, want one success without a retry", calls, got.Payload)
				}
				mustHold(t, b)
			})
		})
	}
}

// Many requests die with one worker. Once one more crash would condemn them, each runs
// alone among its like, so that only the one to blame is found to be poison, and the
// good ones do not wait for long. Before that they run together, as ever.
func TestSuspectsRunAloneAndSoon(t *testing.T) {
	for maxCrashes, wantTogether := range map[int]int32{2: 1, 3: 10} {
		t.Run(fmt.Sprintf("condemned after %d crashes", maxCrashes), func(t *testing.T) { testSuspects(t, maxCrashes, wantTogether) })
	}
}

func testSuspects(t *testing.T, maxCrashes int, wantTogether int32) {
	t.Helper()
	virtual(t, func(t *testing.T, s *bustest.Server) {
		const n = 20
		b := connect(t, s, "a")
		if err := b.EnsureConsumers(t.Context(), "a", ackWait); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("old", i)})
		}
		crash(t, b, n)
		for i := range n {
			publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("new", i)})
		}
		var suspects, together, fresh atomic.Int32
		began := time.Now()
		run(t, b, bus.PoolOptions{Agent: "a", Slots: 10, MaxCrashes: maxCrashes, AckWait: ackWait, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			if strings.HasPrefix(j.ID, "old") {
				if now := suspects.Add(1); now > together.Load() {
					together.Store(now)
				}
				defer suspects.Add(-1)
			} else {
				fresh.Add(1)
			}
			spend(ctx, 100*time.Millisecond)
			return answer(ctx, j)
		}})
		for i := range n {
			if got := result(t, b, "a", fmt.Sprint("new", i)); !got.Success {
				t.Errorf("result new%d: got %s", i, got.Payload)
			}
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("fresh requests took %s beside the suspects, want a few seconds", took)
		}
		for i := range n {
			if got := result(t, b, "a", fmt.Sprint("old", i)); !got.Success || got.Meta.RetryCount != 0 {
				t.Errorf("result old%d: got %s, want success without a retry", i, got.Payload)
			}
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%d suspects of 100 ms took %s, want less than 30 s", n, took)
		} else {
			t.Logf("%d suspects took %s", n, took)
		}
		if together.Load() > wantTogether || wantTogether > 1 && together.Load() < 2 || fresh.Load() != n {
			t.Errorf("%d suspects ran together, want %d; %d fresh ones, want %d", together.Load(), wantTogether, fresh.Load(), n)
		}
		mustHold(t, b)
	})
}
