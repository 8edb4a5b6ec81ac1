package resilience

import (
	"math/rand/v2"
	"time"
)

// changed follows the machine. It runs under the machine's own lock.
func (b *Breaker) changed(m *machine, to, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.machine.Load() == m {
		b.enterPhase(to, reason)
	}
}

// enterPhase is the one place where the state changes. It holds mu.
func (b *Breaker) enterPhase(to, reason string) {
	from, now := b.phase, time.Now()
	b.phase, b.voted, b.ramp = to, reason == tripVotes, nil
	event := Event{Kind: EventStateChanged, From: from, To: to, Reason: reason}
	switch to {
	case StateOpen:
		wait := b.recovery()
		if from == StateClosed {
			b.openedAt = now
		}
		b.probeAt, b.reason = now.Add(wait), reason
		event.Kind, event.Delay, event.Err = EventTrip, wait, b.lastError()
	case StateHalfOpen:
		b.halfAt = now
	case StateClosed:
		b.openedAt = time.Time{}
		b.ramp = b.newRamp(b.options.Probes)
		event.Kind, event.Reason = EventClose, "probes succeeded"
	}
	b.regate()
	if b.isolated.IsZero() { // else the state one sees has not changed
		b.notify(event)
	}
}

// recovery is the time until the next probe.
func (b *Breaker) recovery() time.Duration {
	wait := b.options.RecoveryTimeout
	if !b.options.NoJitter {
		wait += time.Duration(rand.Float64() * recoveryJitter * float64(wait)) //nolint:gosec // jitter is no secret
	}
	return wait
}

// newRamp starts with one call more than have succeeded.
func (b *Breaker) newRamp(successes int) *ramp {
	if successes >= b.options.Ramp {
		return nil
	}
	r := &ramp{until: b.clock() + b.options.RecoveryTimeout}
	r.successes.Store(int64(successes))
	return r
}

func (b *Breaker) endRamp(r *ramp) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ramp == r {
		b.ramp = nil
		b.regate()
	}
}

// regate puts up the gate of the present state. It holds mu.
func (b *Breaker) regate() {
	var g *gate
	switch {
	case !b.isolated.IsZero():
		g = &gate{cause: "breaker isolated", until: forever, after: b.options.RecoveryTimeout}
	case b.phase == StateOpen:
		g = &gate{cause: "breaker open", until: b.probeAt.Sub(b.epoch), err: b.lastError()}
	case b.phase == StateHalfOpen:
		g = &gate{half: true}
	case b.ramp != nil:
		g = &gate{ramp: b.ramp}
	}
	b.gate.Store(g)
}

// notify queues an event. It holds mu; flush reports it once mu is free.
func (b *Breaker) notify(e Event) {
	if b.options.Observer != nil {
		e.Policy, e.Name = "breaker", b.options.Name
		b.events.add(e)
	}
}

// probing reports a call that was let through as a trial, after the change of
// state that made it one, and returns the gate it passed; nil for other calls.
func (b *Breaker) probing() *gate {
	g := b.gate.Load()
	if g == nil || !g.half {
		return nil
	}
	b.events.flush(b.options.Observer)
	if b.options.Observer != nil {
		b.options.Observer(Event{Kind: EventProbe, Policy: "breaker", Name: b.options.Name})
	}
	return g
}

// refusal turns the machine's refusal into ours. A probe that has not come back
// for a whole recovery time is given up, or a call that hangs would keep the
// breaker half-open for ever.
func (b *Breaker) refusal() *RejectedError {
	b.mu.Lock()
	stuck := b.phase == StateHalfOpen && time.Since(b.halfAt) >= b.options.RecoveryTimeout
	m := b.machine.Load()
	b.mu.Unlock()
	if stuck {
		b.giveUp(m)
	}
	if g := b.gate.Load(); g != nil && g.cause != "" {
		return g.refuse(b.clock())
	}
	return b.busy
}

// giveUp opens a breaker again whose probe will not tell m how it went.
func (b *Breaker) giveUp(m *machine) { b.replace(m, StateHalfOpen, tripAbandoned) }

// replace opens the breaker with a new machine if the present one is m and in
// that phase.
func (b *Breaker) replace(m *machine, phase, reason string) {
	b.mu.Lock()
	ours := b.machine.Load() == m && b.phase == phase
	b.mu.Unlock()
	if !ours { // the common case: do not build a machine for nothing
		return
	}
	opened := newOpenMachine(b)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.machine.Load() != m || b.phase != phase {
		return
	}
	b.machine.Store(opened)
	b.enterPhase(StateOpen, reason)
}
