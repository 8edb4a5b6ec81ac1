package bus

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model plays the broker and the handlers around a slot plan.
type model struct {
	t     *rapid.T
	s     *slots
	now   time.Time
	queue map[Lane]int // messages that wait
	// passed counts batch executions that began while interactive work waited, since
	// interactive work last began.
	passed int
}

func newModel(t *rapid.T, total, reserved int) *model {
	return &model{t: t, s: newSlots(total, reserved), now: time.Unix(0, 0), queue: map[Lane]int{}}
}

// plan carries out the slot plan until it has nothing to say, as the broker would
// answer: what is there comes at once.
func (m *model) plan() {
	for round := 0; ; round++ {
		if round > 1000 {
			m.t.Fatalf("the plan does not come to rest: %+v", m.s)
		}
		p := m.s.next(m.now)
		m.check()
		for _, lane := range p.cancel {
			if m.queue[lane] == 0 {
				m.s.ended(lane, m.now)
			}
		}
		for _, ask := range p.pulls {
			if ask.n <= 0 {
				m.t.Fatalf("a pull for %d messages", ask.n)
			}
			m.serve(ask.lane)
			if ask.wait == 0 && m.s.state(ask.lane).outstanding() {
				m.s.ended(ask.lane, m.now)
			}
		}
		if len(p.pulls) == 0 && len(p.cancel) == 0 {
			return
		}
	}
}

// serve delivers what waits to the lane's pull.
func (m *model) serve(lane Lane) {
	for m.queue[lane] > 0 && m.s.state(lane).outstanding() {
		m.queue[lane]--
		if !m.s.arrived(lane, uint64(m.queue[lane])) {
			m.t.Fatalf("a message arrived for a pull and found no slot")
		}
		if lane == LaneInteractive {
			m.passed = 0
		} else if m.queue[LaneInteractive] > 0 {
			m.passed++
		}
		m.check()
	}
}

func (m *model) check() {
	s := m.s
	if held := s.interactive.held() + s.batch.held(); held > s.total {
		m.t.Fatalf("%d slots are held, of %d", held, s.total)
	}
	if s.batch.held() > s.total-s.reserved {
		m.t.Fatalf("batch holds %d slots, with %d of %d reserved", s.batch.held(), s.reserved, s.total)
	}
}

// publish adds a message; a pull that waits for it gets it at once.
func (m *model) publish(lane Lane) {
	m.queue[lane]++
	m.serve(lane)
	m.plan()
}

func (m *model) finish(lane Lane) {
	m.s.finished(lane)
	m.plan()
}

// elapse lets time pass: long pulls end, and looks come due.
func (m *model) elapse(d time.Duration) {
	m.now = m.now.Add(d)
	for _, lane := range Lanes() {
		if st := m.s.state(lane); st.outstanding() && d >= st.pull.wait {
			m.s.ended(lane, m.now)
		}
	}
	m.plan()
}

func TestSlotsNeverExceedTheirLimitAndStarveNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 6).Draw(t, "slots")
		m := newModel(t, total, rapid.IntRange(0, total).Draw(t, "reserved"))
		m.plan()
		t.Repeat(map[string]func(*rapid.T){
			"publish interactive": func(*rapid.T) { m.publish(LaneInteractive) },
			"publish batch":       func(*rapid.T) { m.publish(LaneBatch) },
			"finish interactive": func(t *rapid.T) {
				if m.s.interactive.executing == 0 {
					t.Skip("nothing executes")
				}
				m.finish(LaneInteractive)
			},
			"finish batch": func(t *rapid.T) {
				if m.s.batch.executing == 0 {
					t.Skip("nothing executes")
				}
				m.finish(LaneBatch)
			},
			"room": func(t *rapid.T) {
				m.s.limit(rapid.IntRange(-1, total).Draw(t, "calls"), m.now.Add(time.Second))
				m.plan()
				if s := m.s; s.room >= 0 && s.pulling() > s.room {
					t.Fatalf("pulls ask for %d messages, and there is room for %d", s.pulling(), s.room)
				}
			},
			"wait a moment":   func(*rapid.T) { m.elapse(shortPull) },
			"wait for long":   func(*rapid.T) { m.elapse(longPull) },
			"pause and go on": func(*rapid.T) { m.s.pause(m.now.Add(time.Second)); m.plan(); m.elapse(2 * time.Second) },
			"":                func(*rapid.T) { m.check() },
		})
		m.s.limit(-1, m.now)
		m.plan()
		m.everythingIsServed(t)
	})
}

// everythingIsServed finishes what executes, again and again: all that waits must be
// executed, and interactive work must not wait for two batch executions in a row.
func (m *model) everythingIsServed(t *rapid.T) {
	for round := 0; m.queue[LaneInteractive]+m.queue[LaneBatch]+m.s.inUse() > 0; round++ {
		if round > 10_000 {
			t.Fatalf("work is left: %v, %+v", m.queue, m.s)
		}
		switch {
		case m.s.interactive.executing > 0 && (round%2 == 0 || m.s.batch.executing == 0):
			m.finish(LaneInteractive)
		case m.s.batch.executing > 0:
			m.finish(LaneBatch)
		default:
			m.elapse(shortPull)
		}
	}
}

func TestBatchIsServedWhileInteractiveNeverEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 6).Draw(t, "slots")
		m := newModel(t, total, rapid.IntRange(0, total).Draw(t, "reserved"))
		m.plan()
		for range 3 {
			m.publish(LaneBatch)
		}
		for range 400 {
			for m.queue[LaneInteractive] < 2*total {
				m.publish(LaneInteractive)
			}
			if m.s.interactive.executing > 0 {
				m.finish(LaneInteractive)
			}
			if m.s.batch.executing > 0 {
				m.finish(LaneBatch)
			}
			m.elapse(10 * time.Millisecond)
			if m.passed > 1 {
				t.Fatalf("%d batch executions began in a row while interactive work waited (slots %d)", m.passed, total)
			}
		}
		if m.queue[LaneBatch] > 0 {
			t.Fatalf("batch work starves: %d of 3 wait", m.queue[LaneBatch])
		}
	})
}

func TestInteractiveIsServedWhileBatchNeverEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 6).Draw(t, "slots")
		m := newModel(t, total, rapid.IntRange(0, total).Draw(t, "reserved"))
		m.plan()
		for range 200 {
			for m.queue[LaneBatch] < 2*total {
				m.publish(LaneBatch)
			}
			m.elapse(lookAgain)
			if m.s.batch.executing == 0 {
				t.Fatalf("batch work waits though slots are free: %+v", m.s)
			}
			m.publish(LaneInteractive)
			for finished := 0; m.queue[LaneInteractive] > 0; finished++ {
				if finished > 0 {
					t.Fatalf("interactive work waits for more than one batch execution (slots %d, reserved %d)", total, m.s.reserved)
				}
				if m.s.batch.executing > 0 {
					m.finish(LaneBatch)
				} else {
					m.finish(LaneInteractive)
				}
			}
			for m.s.interactive.executing > 0 {
				m.finish(LaneInteractive)
			}
		}
	})
}

func TestAnIdlePoolWaitsOnBothLanesWithoutAsking(t *testing.T) {
	for _, total := range []int{2, 3, 10} {
		s := newSlots(total, total/5)
		now := time.Unix(0, 0)
		for {
			p := s.next(now)
			if len(p.pulls) == 0 {
				break
			}
			for _, ask := range p.pulls {
				if ask.wait == 0 {
					s.ended(ask.lane, now)
				}
			}
		}
		if s.interactive.pull.wait != longPull || s.batch.pull.wait != longPull {
			t.Errorf("%d idle slots: got waits %v and %v, want two long pulls", total, s.interactive.pull.wait, s.batch.pull.wait)
		}
	}
}

func TestInteractiveWorkCanHaveEverySlot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 10).Draw(t, "slots")
		m := newModel(t, total, total/5)
		m.plan()
		for range total {
			m.publish(LaneInteractive)
		}
		m.elapse(lookAgain)
		if m.s.interactive.executing != total {
			t.Fatalf("%d of %d slots execute", m.s.interactive.executing, total)
		}
	})
}
