package resilience

import (
	"sync/atomic"
	"time"
)

// gate is what a call meets before the machine. A breaker that is closed and
// past its ramp has none. It never changes but for its atomics: a new state of
// the breaker puts a new gate up.
type gate struct {
	cause string        // of a rejection; empty: the machine decides
	until time.Duration // on the breaker's clock; from then on the machine decides
	after time.Duration // what a gate without an end tells callers; zero: the rest until its end
	err   error         // the failure behind it
	half  bool
	ramp  *ramp

	told atomic.Pointer[told]
}

// told is a rejection made in advance, and until when it is near enough to the
// truth. So rejecting allocates nothing but a few times in a breaker's outage.
type told struct {
	rejection *RejectedError
	until     time.Duration
}

const (
	forever     = time.Duration(1<<63 - 1)
	toldPart    = 16 // a rejection's After is right to this part of itself
	toldAtLeast = time.Millisecond
)

// enter returns why a call may not pass, or nil; then leave or done follows.
func (g *gate) enter(b *Breaker) *RejectedError {
	switch {
	case g.ramp != nil:
		return g.ramp.enter(b)
	case g.cause == "":
		return nil
	}
	now := b.clock()
	if now >= g.until {
		return nil
	}
	return g.refuse(now)
}

func (g *gate) refuse(now time.Duration) *RejectedError {
	if t := g.told.Load(); t != nil && now < t.until {
		return t.rejection
	}
	after, good := g.after, forever
	if after == 0 {
		after = max(g.until-now, 0)
		good = now + max(after/toldPart, toldAtLeast)
	}
	t := &told{&RejectedError{Cause: g.cause, After: after, Err: g.err}, good}
	g.told.Store(t)
	return t.rejection
}

// leave takes back an enter that was not followed by a call.
func (g *gate) leave() {
	if g != nil && g.ramp != nil {
		g.ramp.inFlight.Add(-1)
	}
}

// done says how a call that entered went.
func (g *gate) done(b *Breaker, how callEnd) {
	if g.ramp != nil {
		g.ramp.done(b, how)
	}
}

// ramp limits the calls in flight of a breaker that has just closed to one more
// than have succeeded.
type ramp struct {
	until     time.Duration
	successes atomic.Int64
	inFlight  atomic.Int64
}

func (r *ramp) enter(b *Breaker) *RejectedError {
	over := b.clock() >= r.until
	if over {
		b.endRamp(r)
	}
	if r.inFlight.Add(1) > r.successes.Load()+1 && !over {
		r.inFlight.Add(-1)
		return b.crowded
	}
	return nil
}

func (r *ramp) done(b *Breaker, how callEnd) {
	r.inFlight.Add(-1)
	switch how {
	case endedWell, endedWellSlowly:
		if r.successes.Add(1) >= int64(b.options.Ramp) {
			b.endRamp(r)
		}
	case endedExcluded:
	default:
		r.successes.Store(0)
	}
}
