package resilience

import (
	"math"
	"time"
)

// Reset closes the breaker whatever its state, isolation included, and starts
// its stats anew. There is no ramp: the one who resets knows that the dependency
// is back, and tries it with a canary call. Calls in flight count in the stats
// alone.
func (b *Breaker) Reset() {
	b.mu.Lock()
	from := b.state()
	b.machine.Store(newMachine(b))
	b.phase, b.voted, b.ramp = StateClosed, false, nil
	b.openedAt, b.isolated = time.Time{}, time.Time{}
	b.clear()
	b.regate()
	b.notify(Event{Kind: EventClose, From: from, To: StateClosed, Reason: "reset"})
	b.mu.Unlock()
	b.events.flush(b.options.Observer)
}

// Isolate holds the breaker open, without probes, until [Breaker.Release] or
// [Breaker.Reset]. Isolating twice is isolating once.
func (b *Breaker) Isolate() {
	b.mu.Lock()
	if b.isolated.IsZero() {
		from := b.state()
		b.isolated = time.Now()
		b.regate()
		b.notify(Event{Kind: EventTrip, From: from, To: StateOpen, Reason: "isolated"})
	}
	b.mu.Unlock()
	b.events.flush(b.options.Observer)
}

// Release ends an isolation: the breaker is closed, its counts begin at nothing,
// and its ramp at one call in flight, since nobody knows how the dependency is.
// A breaker that is not isolated stays as it is.
func (b *Breaker) Release() {
	b.mu.Lock()
	if !b.isolated.IsZero() {
		b.machine.Store(newMachine(b))
		b.phase, b.voted, b.ramp = StateClosed, false, b.newRamp(0)
		b.openedAt, b.isolated = time.Time{}, time.Time{}
		b.regate()
		b.notify(Event{Kind: EventClose, From: StateOpen, To: StateClosed, Reason: "released"})
	}
	b.mu.Unlock()
	b.events.flush(b.options.Observer)
}

// State is [StateClosed], [StateOpen] or [StateHalfOpen]. An open breaker whose
// recovery time has passed is half-open, though no call may have come yet.
func (b *Breaker) State() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state()
}

// Room says how many calls would be let through now, and, when none would, after
// how long to ask again. A closed breaker has room for any number. It is for
// those who take work from a queue: what is not taken needs not be rejected and
// given back. Do decides anew, so room seen twice may be used once.
func (b *Breaker) Room() (calls int, after time.Duration) {
	g := b.gate.Load()
	switch {
	case g == nil:
		return math.MaxInt, 0
	case g.half:
		taken := b.machine.Load().core.Counts()
		calls = b.options.Probes - int(taken.Requests-taken.TotalExclusions)
		after = b.busy.After
	case g.ramp != nil:
		if b.clock() >= g.ramp.until {
			return math.MaxInt, 0
		}
		calls, after = int(g.ramp.successes.Load()+1-g.ramp.inFlight.Load()), b.crowded.After
	default:
		now := b.clock()
		if now >= g.until {
			return b.options.Probes, 0
		}
		after = g.refuse(now).After
	}
	if calls > 0 {
		return calls, 0
	}
	return 0, after
}

// state holds mu.
func (b *Breaker) state() string {
	switch {
	case !b.isolated.IsZero():
		return StateOpen
	case b.phase == StateOpen && !time.Now().Before(b.probeAt):
		return StateHalfOpen
	}
	return b.phase
}
