package resilience

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// The zero [BreakerOptions]' values.
const (
	defaultFailureThreshold = 5
	defaultRecoveryTimeout  = time.Minute
	defaultBreakerWindow    = time.Minute
	defaultBreakerCalls     = 20
	defaultSlowRate         = 0.5
	defaultProbes           = 1
	defaultRamp             = 32
	recoveryJitter          = 0.1
)

// BreakerOptions say when a [Breaker] opens and how it comes back. The zero
// value is the guide's: open after 5 failures in a row, try again after 60 s.
type BreakerOptions struct {
	// Name is the dependency guarded, as in stats, events and the registry.
	// Empty: "breaker".
	Name string

	// FailureThreshold is how many failures in a row open the breaker. Zero: 5,
	// or, with a FailureRate, no such rule.
	FailureThreshold int

	// FailureRate opens the breaker when this part of the calls of the last
	// Window failed, once there were MinCalls: 0.5 is every second. Zero: no
	// such rule.
	FailureRate float64

	// SlowCall is the duration from which a call counts as slow, whether it
	// succeeds or not. Zero: no call is slow. While the breaker is half-open a
	// slow success counts as a failure.
	SlowCall time.Duration

	// SlowRate opens the breaker when this part of the calls of the last Window
	// was slow, once there were MinCalls. Zero: 0.5 when SlowCall is set.
	SlowRate float64

	// Window is the time the rates look back, in ten steps. Zero: 60 s.
	Window time.Duration

	// MinCalls is how many calls a rate needs before it says anything. Zero: 20.
	MinCalls int

	// RecoveryTimeout is how long the breaker stays open before it lets a probe
	// through. Zero: 60 s.
	RecoveryTimeout time.Duration

	// NoJitter keeps RecoveryTimeout exact. Without it each wait is up to a
	// tenth longer, so that replicas do not probe at the same moment.
	NoJitter bool

	// Probes is how many trial calls a half-open breaker lets through, and how
	// many must succeed to close it; one failure opens it again. Zero: 1.
	Probes int

	// Ramp is how many successes a breaker that closed again wants to see before
	// it stops counting: until then one call more than there were successes may
	// be in flight, and a failure starts the count anew. So callers one after
	// another notice nothing and a waiting crowd doubles with every round trip.
	// It lasts RecoveryTimeout at most. Zero: 32; 1: hardly any.
	Ramp int

	// Counts says whether an error is a failure of the dependency. It is asked
	// in place of the rule of [Breaker]. Nil: that rule.
	Counts func(error) bool

	// Observer is told of trips, probes, closings and rejections.
	Observer Observer
}

func (o BreakerOptions) withDefaults() BreakerOptions {
	if o.Name == "" {
		o.Name = "breaker"
	}
	if o.FailureThreshold == 0 && o.FailureRate == 0 {
		o.FailureThreshold = defaultFailureThreshold
	}
	if o.SlowRate == 0 && o.SlowCall > 0 {
		o.SlowRate = defaultSlowRate
	}
	setDefault(&o.Window, defaultBreakerWindow)
	setDefault(&o.MinCalls, defaultBreakerCalls)
	setDefault(&o.RecoveryTimeout, defaultRecoveryTimeout)
	setDefault(&o.Probes, defaultProbes)
	setDefault(&o.Ramp, defaultRamp)
	return o
}

// The bounds of what can be asked for: beyond them an option is a mistake, and
// sums of durations would overflow.
const (
	mostCalls   = 1 << 30
	longestTime = 10 * 365 * 24 * time.Hour
)

func (o BreakerOptions) validate() error {
	p := problems{policy: "breaker"}
	p.unless(o.FailureThreshold > 0 && o.FailureThreshold <= mostCalls || o.FailureThreshold == 0 && o.FailureRate > 0,
		"FailureThreshold", "%d is not within 1 and %d", o.FailureThreshold, mostCalls)
	p.unless(o.FailureRate >= 0 && o.FailureRate <= 1, "FailureRate", "%v is not within 0 and 1", o.FailureRate)
	p.unless(o.SlowCall >= 0 && o.SlowCall <= longestTime, "SlowCall", "%v is negative or beyond %v", o.SlowCall, longestTime)
	p.unless(o.SlowRate >= 0 && o.SlowRate <= 1, "SlowRate", "%v is not within 0 and 1", o.SlowRate)
	p.unless(o.SlowRate == 0 || o.SlowCall > 0, "SlowRate", "needs SlowCall: without it no call is slow")
	p.unless(o.Window >= windowSteps && o.Window <= longestTime, "Window", "%v is not within %v and %v", o.Window, time.Duration(windowSteps), longestTime)
	p.unless(o.MinCalls > 0 && o.MinCalls <= mostCalls, "MinCalls", "%d is not within 1 and %d", o.MinCalls, mostCalls)
	p.unless(o.RecoveryTimeout > 1 && o.RecoveryTimeout <= longestTime, "RecoveryTimeout", "%v is not positive or beyond %v", o.RecoveryTimeout, longestTime)
	p.unless(o.Probes > 0 && o.Probes <= mostCalls, "Probes", "%d is not within 1 and %d", o.Probes, mostCalls)
	p.unless(o.Ramp > 0 && o.Ramp <= mostCalls, "Ramp", "%d is not within 1 and %d", o.Ramp, mostCalls)
	return p.err()
}

// Breaker is a [Policy] that stops calling a dependency that fails. Closed, it
// counts; when a rule of its options is met it opens and rejects every call with
// a [*RejectedError] that says when to come back. After the recovery time it is
// half-open: a few probes go through, and their success closes it again, at
// first for a few calls at a time (see Ramp).
//
// A success, and an error that is a failure of the dependency, count. These do
// not: a call whose context its caller canceled, a permanent verdict (the
// request was wrong, the dependency answered), and a rejection (it was not
// asked). A deadline that passed counts: the dependency did not make it. A panic
// counts as a failure.
//
// sony/gobreaker is the state machine. What a breaker decides on a call costs no
// allocation, closed or open.
type Breaker struct {
	options BreakerOptions
	rates   bool      // whether the window is kept
	epoch   time.Time // where clock starts

	gate    atomic.Pointer[gate]    // nil: closed, and nothing to look at
	machine atomic.Pointer[machine] // replaced when an operator or a vote decides
	busy    *RejectedError          // half-open, and every probe is taken
	crowded *RejectedError          // closed, and the ramp is full
	counters

	events queue

	// mu guards the changes of state. It may be taken under the lock of the
	// current machine, so nothing calls the machine while holding it.
	mu       sync.Mutex
	phase    string    // what the machine is in
	openedAt time.Time // of phase open and half-open
	probeAt  time.Time // of phase open
	halfAt   time.Time // of phase half-open
	reason   string    // of the last trip
	voted    bool      // phase open was the decision of other replicas
	majority bool      // what other replicas decided last
	isolated time.Time // since when an operator holds it open; zero: not
	ramp     *ramp     // of phase closed; nil: none
}

// NewBreaker returns a closed breaker, or all that is wrong with its options.
func NewBreaker(o BreakerOptions) (*Breaker, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	soon := min(o.RecoveryTimeout, time.Second)
	b := &Breaker{
		options: o,
		rates:   o.FailureRate > 0 || o.SlowRate > 0,
		epoch:   time.Now(),
		phase:   StateClosed,
		busy:    &RejectedError{Cause: "breaker half-open", After: soon},
		crowded: &RejectedError{Cause: "breaker recovering", After: soon},
	}
	b.machine.Store(newMachine(b))
	return b, nil
}

// Name returns the name given in the options.
func (b *Breaker) Name() string { return b.options.Name }

// Do implements [Policy].
func (b *Breaker) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	g := b.gate.Load()
	if g == nil {
		return b.run(ctx, next, nil)
	}
	if rejected := g.enter(b); rejected != nil {
		return b.rejected(rejected)
	}
	return b.run(ctx, next, g)
}

// run lets the machine decide, and tells it how the call went. The closure does
// not escape; it is the reason why a success costs no allocation.
func (b *Breaker) run(ctx context.Context, next Func, g *gate) error {
	var (
		m        = b.machine.Load()
		admitted bool
		returned bool
		err      error
		how      callEnd
		probe    *gate
	)
	defer func() {
		if admitted && !returned { // a panic, or runtime.Goexit
			b.lastFailure.Store(&failure{time.Now(), errUnwound})
			if probe != nil && probe == b.gate.Load() { // gobreaker saw no end of it
				b.giveUp(m)
			}
			b.finish(g, endedBadly)
		}
	}()
	_, _ = m.core.Execute(func() (struct{}, error) {
		admitted = true
		if g != nil {
			probe = b.probing()
		}
		var since time.Duration
		if b.options.SlowCall > 0 {
			since = b.clock()
		}
		err = next(ctx)
		how = b.classify(ctx, err, since)
		return struct{}{}, how.err()
	})
	returned = true
	if !admitted {
		g.leave()
		return b.rejected(b.refusal())
	}
	b.finish(g, how)
	return err
}

// finish counts a call that was let through, whatever the machine made of it.
func (b *Breaker) finish(g *gate, how callEnd) {
	b.count(how)
	if g != nil {
		g.done(b, how)
	}
	b.events.flush(b.options.Observer)
}

func (b *Breaker) classify(ctx context.Context, err error, since time.Duration) callEnd {
	slow := b.options.SlowCall > 0 && b.clock()-since >= b.options.SlowCall
	switch {
	case err == nil && !slow:
		return endedWell
	case err == nil:
		return endedWellSlowly
	case !b.isFailure(ctx, err):
		return endedExcluded
	}
	b.lastFailure.Store(&failure{time.Now(), err})
	if slow {
		return endedBadlySlowly
	}
	return endedBadly
}

func (b *Breaker) isFailure(ctx context.Context, err error) bool {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return false
	case b.options.Counts != nil:
		return b.options.Counts(err)
	}
	return !errors.Is(err, ErrRejected) && !IsPermanent(err)
}

// rejected reports a rejection and returns it.
func (b *Breaker) rejected(err *RejectedError) error {
	b.events.flush(b.options.Observer)
	if b.options.Observer != nil {
		b.options.Observer(Event{
			Kind: EventRejected, Policy: "breaker", Name: b.options.Name, Reason: err.Cause, Delay: err.After, Err: err,
		})
	}
	return err
}

// clock is the time since the breaker was made: cheaper than time.Now, and
// blind to changes of the wall clock.
func (b *Breaker) clock() time.Duration { return time.Since(b.epoch) }
