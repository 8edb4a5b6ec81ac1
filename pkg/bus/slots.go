package bus

import "time"

// Timings of the slot plan.
const (
	// longPull is how long an idle lane's pull stays with the broker.
	longPull = 30 * time.Second
	// shortPull is the same while it holds the only slot that the other lane could use.
	shortPull = 100 * time.Millisecond
	// lookAgain is how often a lane that cannot keep a pull open is looked into.
	lookAgain = 100 * time.Millisecond
)

// slots is the bulkhead of one agent in one worker: it decides how many messages to
// ask for, from which lane, and when. It knows neither the broker nor the clock:
// the pool reports what happened and carries out what next returns.
//
// A slot is free, executing, or held by a pull that may bring a message for it, so
// that no message is ever fetched without a slot. An idle lane keeps a long pull for
// one message with the broker; a lane with a backlog fetches as many as there are
// free slots at once. The rules between the lanes:
//
//   - batch never has more than total - reserved slots;
//   - a freed slot goes to interactive work, except that batch work, when it waits
//     and has no slot at all, gets one; never two in a row while interactive waits;
//   - when interactive work could use the slot that batch's long pull holds, the
//     pull is cancelled, and batch is looked into again a moment later;
//   - pulls never ask for more than the agent has room for: none while its breakers
//     are open, a few while they probe.
type slots struct {
	total    int
	reserved int

	interactive laneState
	batch       laneState
	lastGrant   Lane
	closed      bool
	pausedUntil time.Time
	// room is how many further executions the agent could begin now; below 0: any number.
	room   int
	roomAt time.Time // when to ask again if there is none
}

// laneState is what is known of one lane.
type laneState struct {
	lane      Lane
	executing int
	// pull is the outstanding pull; its n counts the messages still to come.
	pull pull
	// hungry: the broker said that more messages wait.
	hungry bool
	// lookAt is when to look into the lane though nothing says that messages wait.
	lookAt time.Time
}

// A pull asks the broker for up to n messages of a lane.
type pull struct {
	lane Lane
	n    int
	// wait is how long the broker keeps the request; 0 takes only what is there now.
	wait time.Duration
}

// A plan is what the pool has to do now.
type plan struct {
	pulls  []pull
	cancel []Lane
	// wake is when to ask again after a pause; zero: not needed.
	wake time.Time
}

func newSlots(total, reserved int) *slots {
	if total > 1 {
		reserved = min(max(reserved, 0), total-1)
	} else {
		reserved = 0
	}
	return &slots{
		total: total, reserved: reserved, lastGrant: LaneBatch, room: -1,
		interactive: laneState{lane: LaneInteractive, hungry: true},
		batch:       laneState{lane: LaneBatch, hungry: true},
	}
}

func (s *slots) state(l Lane) *laneState {
	if l == LaneBatch {
		return &s.batch
	}
	return &s.interactive
}

func (l *laneState) held() int         { return l.executing + l.pull.n }
func (l *laneState) outstanding() bool { return l.pull.n > 0 }

// free counts the slots that a pull may hold: those that nobody holds, and no more than
// the agent has room for.
func (s *slots) free() int {
	free := s.total - s.interactive.held() - s.batch.held()
	if s.room >= 0 {
		free = min(free, s.room-s.pulling())
	}
	return free
}

// pulling counts the slots that pulls hold.
func (s *slots) pulling() int { return s.interactive.pull.n + s.batch.pull.n }

// inUse counts the slots that execute.
func (s *slots) inUse() int { return s.interactive.executing + s.batch.executing }

// arrived turns a slot that a pull holds into an executing one. It reports false when
// no pull holds one: a message that came too late; it then takes a free slot, if any.
func (s *slots) arrived(l Lane, pending uint64) bool {
	st := s.state(l)
	st.hungry = pending > 0
	if st.pull.n > 0 {
		st.pull.n--
	} else if s.total-s.interactive.held()-s.batch.held() <= 0 {
		return false
	}
	st.executing++
	return true
}

// ended gives back the slots of a pull that brought less than it asked for.
func (s *slots) ended(l Lane, now time.Time) {
	st := s.state(l)
	if st.pull.n > 0 {
		st.hungry = false
	}
	st.pull = pull{}
	st.lookAt = now.Add(lookAgain)
}

// settled reports whether both lanes have a pull with the broker, so that there is
// nothing to plan before one of them ends.
func (s *slots) settled() bool { return s.interactive.outstanding() && s.batch.outstanding() }

// finished frees an executing slot.
func (s *slots) finished(l Lane) { s.state(l).executing-- }

// pause stops pulling until t.
func (s *slots) pause(t time.Time) {
	if t.After(s.pausedUntil) {
		s.pausedUntil = t
	}
}

// limit says how many further executions the agent could begin now, below 0 for any
// number, and when to ask again if it is none.
func (s *slots) limit(room int, again time.Time) {
	s.room, s.roomAt = room, again
}

// close stops pulling for good.
func (s *slots) close() { s.closed = true }

// next decides. Each pull that it returns counts as outstanding at once.
func (s *slots) next(now time.Time) plan {
	var p plan
	if s.closed || s.room == 0 || now.Before(s.pausedUntil) {
		p.cancel = s.cancelLong()
		p.wake = s.pausedUntil
		if s.room == 0 && s.roomAt.After(p.wake) {
			p.wake = s.roomAt
		}
		return p
	}
	in, ba := &s.interactive, &s.batch
	batchWants := !ba.outstanding() && s.batchRoom() > 0 && (ba.hungry || ba.held() == 0 && !now.Before(ba.lookAt))
	batchOwed := batchWants && ba.held() == 0

	if n := s.free(); n > 0 && !in.outstanding() {
		switch {
		case in.hungry:
			if batchOwed && (n > 1 || s.lastGrant == LaneInteractive) {
				n--
			}
			s.ask(&p, in, n, 0)
		case batchWants && s.batchRoom() >= n && s.lastGrant == LaneBatch:
			s.ask(&p, in, 1, 0) // a look, before batch work takes the last slot
		}
	}
	if batchWants && (batchOwed || !in.hungry) {
		n := min(s.free(), s.batchRoom())
		if !ba.hungry || in.hungry {
			n = min(n, 1)
		}
		s.ask(&p, ba, n, 0)
	}
	s.waitForWork(&p, now)
	tooMany := s.room >= 0 && s.pulling() > s.room
	if ba.outstanding() && ba.pull.wait > 0 && (tooMany || !in.outstanding() && s.free() <= 0) {
		p.cancel = append(p.cancel, LaneBatch)
	} else if tooMany && in.pull.wait > 0 {
		p.cancel = append(p.cancel, LaneInteractive)
	}
	return p
}

// waitForWork leaves a long pull with the broker for each idle lane.
func (s *slots) waitForWork(p *plan, now time.Time) {
	in, ba := &s.interactive, &s.batch
	if !in.outstanding() && !in.hungry && s.free() > 0 {
		wait := longPull
		if s.free() == 1 && ba.held() == 0 {
			wait = shortPull
			ba.lookAt = now.Add(shortPull)
		}
		s.ask(p, in, 1, wait)
	}
	if !ba.outstanding() && !ba.hungry && s.batchRoom() > 0 && (in.outstanding() || s.free() > 1) {
		s.ask(p, ba, 1, longPull)
	}
}

func (s *slots) batchRoom() int {
	return min(s.free(), s.total-s.reserved-s.batch.held())
}

func (s *slots) ask(p *plan, st *laneState, n int, wait time.Duration) {
	if n <= 0 {
		return
	}
	st.pull = pull{lane: st.lane, n: n, wait: wait}
	if wait == 0 {
		s.lastGrant = st.lane
	}
	p.pulls = append(p.pulls, st.pull)
}

// cancelLong names the lanes whose pull waits with the broker.
func (s *slots) cancelLong() []Lane {
	var out []Lane
	for _, st := range []*laneState{&s.interactive, &s.batch} {
		if st.outstanding() && st.pull.wait > 0 {
			out = append(out, st.lane)
		}
	}
	return out
}
