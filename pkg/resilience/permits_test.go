package resilience

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// queued is one call in the model of permits.
type queued struct {
	id     int
	until  time.Time
	cancel context.CancelFunc
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// permitsModel is what permits should do: a number, and a plain list of those
// who wait.
type permitsModel struct {
	free    int
	waiting []queued
	ended   map[int]outcome
}

func (m *permitsModel) add(n int) {
	m.free += n
	for m.free > 0 && len(m.waiting) > 0 {
		m.free--
		m.ended[m.waiting[0].id] = granted
		m.waiting = m.waiting[1:]
	}
}

func (m *permitsModel) leave(out outcome, gone func(queued) bool) {
	m.waiting = slices.DeleteFunc(m.waiting, func(q queued) bool {
		if gone(q) {
			m.ended[q.id] = out
		}
		return gone(q)
	})
}

// Every step leaves everybody blocked, so what each caller met is compared with
// the model after each.
func TestPermitsAgainstAModel(t *testing.T) {
	CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		const limit = 10 * time.Second
		maxWaiting := rapid.IntRange(0, 4).Draw(rt, "max waiting")
		var p permits
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := map[int]outcome{}
		m := permitsModel{ended: map[int]outcome{}}
		calls := 0
		actions := map[string]func(*rapid.T){
			"ask": func(*rapid.T) {
				ctx, cancel := context.WithCancel(t.Context())
				id := calls
				calls++
				switch {
				case m.free > 0 && len(m.waiting) == 0:
					m.free--
					m.ended[id] = granted
				case len(m.waiting) >= maxWaiting:
					m.ended[id] = full
				default:
					m.waiting = append(m.waiting, queued{id, time.Now().Add(limit), cancel})
				}
				wg.Go(func() {
					defer cancel()
					out := granted
					if !p.try() {
						out = p.wait(ctx, limit, maxWaiting)
					}
					mu.Lock()
					defer mu.Unlock()
					got[id] = out
				})
			},
			"add": func(rt *rapid.T) {
				n := rapid.IntRange(-3, 4).Draw(rt, "permits")
				m.add(n)
				p.add(n)
			},
			"cancel": func(rt *rapid.T) {
				if len(m.waiting) == 0 {
					rt.Skip("nobody waits")
				}
				q := rapid.SampledFrom(m.waiting).Draw(rt, "who")
				m.leave(ended, func(other queued) bool { return other.id == q.id })
				q.cancel()
			},
			"pass time": func(rt *rapid.T) {
				pass(time.Duration(rapid.IntRange(1, 6).Draw(rt, "seconds")) * time.Second)
				m.leave(late, func(q queued) bool { return !q.until.After(time.Now()) })
			},
			"": func(rt *rapid.T) {
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				if waiting, free := p.count(); waiting != len(m.waiting) || free != m.free {
					rt.Fatalf("got %d waiting and %d free, want %d and %d", waiting, free, len(m.waiting), m.free)
				}
				for id := range calls {
					g, isGot := got[id]
					w, isWanted := m.ended[id]
					if g != w || isGot != isWanted {
						rt.Fatalf("call %d: got %v (%v), want %v (%v)", id, g, isGot, w, isWanted)
					}
				}
			},
		}
		defer wg.Wait()
		defer pass(2 * limit)
		rt.Repeat(actions)
	})
}

// All at once: however calls, cancellations and changes of the number meet, no
// more hold a permit than there are, and none is lost.
func TestPermitsAreNeverExceededNorLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(1, 5).Draw(rt, "permits")
		callers := rapid.IntRange(1, 12).Draw(rt, "callers")
		maxWaiting := rapid.IntRange(1, 12).Draw(rt, "max waiting")
		impatient := rapid.IntRange(0, 3).Draw(rt, "microseconds of patience")
		var p permits
		var held, most atomic.Int64
		var wg sync.WaitGroup
		p.add(total)
		for range callers {
			wg.Go(func() {
				for i := range 40 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*impatient)*time.Microsecond)
					if p.try() || p.wait(ctx, time.Millisecond, maxWaiting) == granted {
						now := held.Add(1)
						for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
						}
						held.Add(-1)
						p.add(1)
					}
					cancel()
				}
			})
		}
		wg.Go(func() { // comes and goes, and never makes it more than total
			for range 40 {
				p.add(-1)
				p.add(1)
			}
		})
		wg.Wait()
		if most.Load() > int64(total) {
			rt.Fatalf("got %d permits held at once, want at most %d", most.Load(), total)
		}
		if waiting, free := p.count(); waiting != 0 || free != total {
			rt.Fatalf("got %d waiting and %d free at the end, want 0 and %d", waiting, free, total)
		}
	})
}

// A permit that comes in the moment its waiter gives up is held or free, and
// not lost.
func TestPermitsGrantedInTheLastMoment(t *testing.T) {
	tests := []struct {
		name   string
		giveUp func(cancel func())
	}{
		{"of its context", func(cancel func()) { cancel() }},
		{"of its patience", func(func()) { pass(time.Second) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for range 100 {
					var p permits
					var out outcome
					var wg sync.WaitGroup
					ctx, cancel := context.WithCancel(t.Context())
					wg.Go(func() { out = p.wait(ctx, time.Second, 1) })
					synctest.Wait()
					wg.Go(func() { pass(time.Second); p.add(1) })
					tt.giveUp(cancel)
					p.add(1)
					wg.Wait()
					want := 2
					if out == granted {
						want = 1
					}
					if waiting, free := p.count(); free != want || waiting != 0 {
						t.Fatalf("got %d free and %d waiting after outcome %d, want %d and 0", free, waiting, out, want)
					}
					cancel()
				}
			})
		})
	}
}
