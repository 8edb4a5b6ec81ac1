package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// gauge counts executions at work, and remembers the most.
type gauge struct {
	mu        sync.Mutex
	now, most map[bus.Lane]int
	all, peak int
	began     []bus.Lane // in their order
	beganAt   map[string]time.Time
}

func newGauge() *gauge {
	return &gauge{now: map[bus.Lane]int{}, most: map[bus.Lane]int{}, beganAt: map[string]time.Time{}}
}

// during makes a handler that takes d of virtual time, and is counted meanwhile.
func (g *gauge) during(d time.Duration) bus.Handler {
	return func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		g.add(j, 1)
		defer g.add(j, -1)
		spend(ctx, d)
		return answer(ctx, j)
	}
}

func (g *gauge) add(j *bus.Job, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now[j.Lane] += n
	g.all += n
	g.most[j.Lane] = max(g.most[j.Lane], g.now[j.Lane])
	g.peak = max(g.peak, g.all)
	if n > 0 {
		g.began = append(g.began, j.Lane)
		g.beganAt[j.ID] = time.Now()
	}
}

// inFlight is how many messages of a lane the broker has delivered and not got back.
func inFlight(t testing.TB, b *bus.Bus, lane bus.Lane) int {
	t.Helper()
	lag, err := b.Lag(t.Context(), "a", lane)
	if err != nil {
		t.Fatalf("lag: %v", err)
	}
	return int(lag.InFlight)
}

// flood publishes n requests of a lane, named after it.
func flood(t testing.TB, b *bus.Bus, lane bus.Lane, n int) {
	t.Helper()
	for i := range n {
		publish(t, b, bus.Envelope{Agent: "a", Lane: lane, ID: fmt.Sprint(lane, i)})
	}
}

func TestAFloodNeverHasMoreThanTheSlotsAndUsesThemAll(t *testing.T) {
	for _, tt := range []struct {
		slots, reserved    int
		interactive, batch int
		wantPeak           int
		wantBatch          int // the most batch executions at once
	}{
		{1, 0, 12, 0, 1, 0},
		{1, 0, 0, 12, 1, 1},
		{1, 0, 6, 6, 1, 1},
		{5, 1, 40, 0, 5, 0}, // interactive alone uses every slot
		{5, 1, 0, 40, 4, 4}, // batch alone leaves the reserved ones
		{5, 1, 25, 25, 5, 4},
		{10, 4, 0, 50, 6, 6},
		{3, 0, 15, 15, 3, 3},
	} {
		t.Run(fmt.Sprintf("%d slots, %d reserved, %d interactive, %d batch", tt.slots, tt.reserved, tt.interactive, tt.batch), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				if err := b.EnsureConsumers(t.Context(), "a", bus.DefaultAckWait); err != nil {
					t.Fatal(err)
				}
				flood(t, b, bus.LaneBatch, tt.batch)
				flood(t, b, bus.LaneInteractive, tt.interactive)
				g := newGauge()
				p := run(t, b, bus.PoolOptions{Agent: "a", Slots: tt.slots, Reserved: tt.reserved, Handler: g.during(100 * time.Millisecond)})
				all := tt.interactive + tt.batch
				for queued(t, b, "a") > 0 {
					synctest.Wait() // until the broker has taken note of everything
					in, ba := inFlight(t, b, bus.LaneInteractive), inFlight(t, b, bus.LaneBatch)
					if in+ba > tt.slots || ba > tt.slots-tt.reserved {
						t.Fatalf("in flight: got %d interactive and %d batch, want at most %d, and %d of batch", in, ba, tt.slots, tt.slots-tt.reserved)
					}
					spend(t.Context(), 37*time.Millisecond)
				}
				p.settlements(t, all)
				if g.peak != tt.wantPeak || g.most[bus.LaneBatch] > tt.slots-tt.reserved || tt.interactive == 0 && g.most[bus.LaneBatch] != tt.wantBatch {
					t.Errorf("at once: got %d, %v of batch, want %d, and %d of batch", g.peak, g.most[bus.LaneBatch], tt.wantPeak, tt.wantBatch)
				}
				if len(g.began) != all {
					t.Errorf("executions: got %d, want %d", len(g.began), all)
				}
				mustHold(t, b)
			})
		})
	}
}

// Interactive work that comes while batch work has every slot it may have waits for
// one execution at most.
func TestBatchDelaysInteractiveByOneExecutionAtMost(t *testing.T) {
	const execution = time.Second
	for _, tt := range []struct {
		slots, reserved int
		limit           time.Duration
	}{{1, 0, execution}, {2, 0, execution}, {5, 0, execution}, {5, 1, 0}, {10, 2, 0}} {
		t.Run(fmt.Sprintf("%d slots, %d reserved", tt.slots, tt.reserved), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				flood(t, b, bus.LaneBatch, 9*tt.slots)
				g := newGauge()
				run(t, b, bus.PoolOptions{Agent: "a", Slots: tt.slots, Reserved: tt.reserved, Handler: g.during(execution)})
				for i := range 5 {
					spend(t.Context(), 1300*time.Millisecond)
					at := time.Now()
					id := publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("in", i)}).ID
					result(t, b, "a", id)
					g.mu.Lock()
					waited := g.beganAt[id].Sub(at)
					g.mu.Unlock()
					if waited > tt.limit+50*time.Millisecond {
						t.Errorf("interactive request %d waited %s, want at most %s", i, waited, tt.limit)
					}
				}
			})
		})
	}
}

// Batch work goes on under interactive work that never ends.
func TestBatchProgressesUnderAnEndlessInteractiveFlood(t *testing.T) {
	for _, slots := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(slots, " slots"), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				flood(t, b, bus.LaneInteractive, 40*slots)
				flood(t, b, bus.LaneBatch, 5)
				g := newGauge()
				run(t, b, bus.PoolOptions{Agent: "a", Slots: slots, Handler: g.during(100 * time.Millisecond)})
				for i := range 5 {
					result(t, b, "a", fmt.Sprint(bus.LaneBatch, i))
				}
				g.mu.Lock()
				defer g.mu.Unlock()
				if n := len(g.began) - 5; n >= 40*slots {
					t.Errorf("batch work had to wait for all %d interactive requests", n)
				}
			})
		})
	}
}

// Two replicas share the work, and neither takes what it cannot execute.
func TestReplicasTakeOnlyWhatTheyExecute(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b, b2 := connect(t, s, "a"), connect(t, s, "a")
		flood(t, b, bus.LaneInteractive, 60)
		g := newGauge()
		for i, replica := range []*bus.Bus{b, b2} {
			run(t, replica, bus.PoolOptions{Agent: "a", Slots: 3, Worker: fmt.Sprint("w", i), Handler: g.during(100 * time.Millisecond)})
		}
		by := map[string]int{}
		for i := range 60 {
			by[result(t, b, "a", fmt.Sprint(bus.LaneInteractive, i)).Meta.Worker]++
			synctest.Wait() // until the broker has taken note of everything
			if n := inFlight(t, b, bus.LaneInteractive); n > 6 {
				t.Fatalf("in flight: got %d, want at most 6", n)
			}
		}
		if g.peak != 6 || by["w0"] < 20 || by["w1"] < 20 {
			t.Errorf("at once: got %d, want 6; shares %v, want about half each", g.peak, by)
		}
	})
}

// A message that comes for a pull that the pool has given up finds no slot: it goes
// back, is executed later, and its worker is not said to have died.
func TestAMessageThatComesTooLateIsNoCrash(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		g := newGauge()
		work := g.during(50 * time.Millisecond)
		p := run(t, b, bus.PoolOptions{
			Agent: "a", Slots: 1, Backoff: resilience.Backoff{InitialDelay: time.Millisecond},
			Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
				if j.Deliveries > 1 && j.Attempt == 1 { // so that the ledger tells what it thinks of the first one
					return bus.Answer{}, errors.New("once")
				}
				return work(ctx, j)
			},
		})
		publish(t, b, bus.Envelope{Agent: "a"})
		p.settlements(t, 1) // it is at work
		late := 0
		for i := range 20 {
			p.ForgetPulls()
			spend(t.Context(), time.Millisecond) // another pull is made beside the forgotten one
			for k := range 3 {
				publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("x", i, "-", k)})
			}
			for k := range 3 {
				id := fmt.Sprint("x", i, "-", k)
				got := result(t, b, "a", id)
				if got.Meta.Deliveries == 1 {
					continue
				}
				late++
				if k := kinds(t, b, id); !got.Success || slices.Contains(k, bus.EntryCrashed) {
					t.Errorf("%s came too late: got %s, ledger %v, want success and no crash", id, got.Payload, k)
				}
			}
		}
		if late == 0 || g.peak != 1 {
			t.Errorf("%d messages came too late, want some; %d executions at once, want 1", late, g.peak)
		}
		mustHold(t, b)
	})
}

// The bulkhead holds for a consumer that others have changed, too.
func TestAWorkerBringsItsConsumersUpToDate(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	if err := b.EnsureConsumers(t.Context(), "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	p := run(t, b, bus.PoolOptions{Agent: "a", AckWait: 10 * time.Second, Handler: answer})
	publish(t, b, bus.Envelope{Agent: "a"})
	p.settlements(t, 1)
	c, err := b.JetStream().Consumer(t.Context(), bus.RequestStream("a"), string(bus.LaneBatch))
	if err != nil {
		t.Fatal(err)
	}
	if cfg := c.CachedInfo().Config; cfg.AckWait != 10*time.Second || cfg.MaxDeliver != -1 || cfg.AckPolicy != jetstream.AckExplicitPolicy {
		t.Errorf("consumer: got %+v, want this worker's AckWait and no MaxDeliver", cfg)
	}
}
