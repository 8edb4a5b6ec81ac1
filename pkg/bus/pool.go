package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"genesis/pkg/resilience"
)

// Defaults of PoolOptions.
const (
	DefaultSlots        = 10
	DefaultAckWait      = 30 * time.Second
	DefaultMaxAttempts  = 5
	DefaultMaxCrashes   = 3
	DefaultDrainTimeout = 30 * time.Second
)

// PoolOptions describe the pool of one agent in one worker. Agent and Handler are
// needed; a zero elsewhere is the default.
type PoolOptions struct {
	Agent   string
	Handler Handler
	// Worker names this replica in results and the ledger.
	Worker string
	// Slots is how many requests are executed at once; 0 means 10.
	Slots int
	// Reserved is how many of the slots batch work never takes. It is below Slots.
	Reserved int
	// AckWait is after how much silence the broker takes this worker for dead; a
	// heartbeat goes out three times as often. 0 means 30 s.
	AckWait time.Duration
	// MaxAttempts is how many executions may fail before the request is a dead letter; 0 means 5.
	MaxAttempts int
	// MaxCrashes is how many workers a request may take down; 0 means 3.
	MaxCrashes int
	// Backoff gives the delay between attempts.
	Backoff resilience.Backoff
	// DrainTimeout is how long Run waits for executions once its context has ended; 0 means 30 s.
	DrainTimeout time.Duration
	// Room, when set, says how many further executions could begin right now, below 0 for
	// any number; when none, after how long to ask again. It is asked before each fetch,
	// so that a request whose every way is shut stays in its queue: no delivery and no
	// attempt is spent on it. It must not block. See [Pool.Wake].
	Room func() (calls int, after time.Duration)
	// Observe, when set, is called after each message was settled. It must not block.
	Observe func(Settlement)
	Logger  *slog.Logger
}

// A Settlement reports what became of one delivery.
type Settlement struct {
	Job     *Job
	Verdict Verdict
	// Err is why it did not succeed.
	Err error
	// Rung answered; empty after a failure.
	Rung     string
	Degraded bool
	// Queued is how long the request waited for its execution; Duration how long it took.
	Queued, Duration time.Duration
	// Delay is when the message comes back, for those that do.
	Delay time.Duration
}

func (o PoolOptions) withDefaults() (PoolOptions, error) {
	if err := ValidAgent(o.Agent); err != nil {
		return o, err
	}
	if o.Handler == nil {
		return o, fmt.Errorf("%w: the pool of %s has no handler", ErrInvalid, o.Agent)
	}
	if o.Slots < 0 || o.AckWait < 0 || o.MaxAttempts < 0 || o.MaxCrashes < 0 || o.DrainTimeout < 0 {
		return o, fmt.Errorf("%w: the pool of %s has a negative setting", ErrInvalid, o.Agent)
	}
	o.Slots = orDefault(o.Slots, DefaultSlots)
	o.AckWait = orDefault(o.AckWait, DefaultAckWait)
	o.MaxAttempts = orDefault(o.MaxAttempts, DefaultMaxAttempts)
	o.MaxCrashes = orDefault(o.MaxCrashes, DefaultMaxCrashes)
	o.DrainTimeout = orDefault(o.DrainTimeout, DefaultDrainTimeout)
	if o.Reserved < 0 || o.Reserved >= max(o.Slots, 2) {
		return o, fmt.Errorf("%w: the pool of %s reserves %d of %d slots", ErrInvalid, o.Agent, o.Reserved, o.Slots)
	}
	if o.Observe == nil {
		o.Observe = func(Settlement) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// A Pool executes the requests of one agent: a bulkhead of slots that fetches a
// message only when a slot is free for it, and settles each message by the verdict
// of its execution. Make it with [Bus.NewPool].
type Pool struct {
	bus *Bus
	o   PoolOptions
	log *slog.Logger

	pullers map[Lane]*puller
	wake    chan struct{}   // holds a token when the plan has to be made anew
	idle    chan assignment // taken by a slot that has nothing to do
	done    chan struct{}   // closed when nothing more will come
	cut     <-chan struct{} // closed when a drain takes too long and cuts executions off

	mu      sync.Mutex
	slots   *slots
	held    map[*execution]struct{}
	running sync.WaitGroup
	fault   error // why the broker cannot serve pulls, until it can
	ended   bool  // nothing is taken any more
	suspect bool  // a request that one more crash would condemn is being executed
}

// NewPool makes a pool. Nothing is fetched before [Pool.Run]. It returns [ErrInvalid]
// for options that cannot work.
func (b *Bus) NewPool(o PoolOptions) (*Pool, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		bus: b, o: o, log: o.Logger.With("agent", o.Agent),
		slots:   newSlots(o.Slots, o.Reserved),
		wake:    make(chan struct{}, 1),
		held:    make(map[*execution]struct{}),
		idle:    make(chan assignment),
		done:    make(chan struct{}),
		pullers: make(map[Lane]*puller, 2),
	}
	return p, nil
}

// Stats are the slots of a pool: all, and those that execute.
type Stats struct {
	Slots, InUse int
}

// Stats may be called at any time.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Slots: p.slots.total, InUse: p.slots.inUse()}
}

// Run executes requests until ctx ends, then drains: it fetches no more, waits up to
// DrainTimeout for what is held, ends the rest with [ErrDraining] and gives it back
// to the broker. It returns nil after a drain, and [ErrUnknownAgent] when the agent has
// no stream at the start; a broker that is away is waited for. A handler that ignores the end of its context is left
// behind after two more seconds, its message given back. Run once.
func (p *Pool) Run(ctx context.Context) error {
	if err := p.bus.EnsureConsumers(ctx, p.o.Agent, p.o.AckWait); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, ErrUnavailable) {
			return err
		}
		p.fault = err // the broker is away just now; fetch goes on trying
	}
	// Executions outlive ctx: they end by the drain's own deadline.
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	p.cut = work.Done()
	for _, lane := range Lanes() {
		p.pullers[lane] = newPuller(p.bus.nc, RequestStream(p.o.Agent), string(lane),
			func(msg *nats.Msg) { p.receive(work, lane, msg) },
			func(end pullEnd) { p.pullEnded(lane, end) })
	}
	var beat sync.WaitGroup
	beating, stopBeat := context.WithCancel(work)
	beat.Go(func() { p.heartbeat(beating) })
	defer beat.Wait()
	defer stopBeat()

	p.fetch(ctx)
	p.drain(ctx, stop)
	return nil
}

// fetch carries out the slot plan until ctx ends.
func (p *Pool) fetch(ctx context.Context) {
	connected := p.bus.nc.StatusChanged(nats.CONNECTED)
	defer p.bus.nc.RemoveStatusListener(connected)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for reconnected := false; ; {
		now := time.Now()
		wake := p.checkPulls(now, reconnected)
		reconnected = false
		if err := p.takeFault(); err != nil {
			p.recover(ctx, err)
		}
		wake = earlier(wake, p.carryOut(now))
		timer.Reset(untilOr(wake, now, longPull))
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		case <-connected:
			reconnected = true
		}
	}
}

// carryOut makes the plan and does what it says.
func (p *Pool) carryOut(now time.Time) time.Time {
	room, after := -1, time.Duration(0)
	if p.o.Room != nil {
		room, after = p.o.Room()
	}
	p.mu.Lock()
	p.slots.limit(room, now.Add(max(after, minRoomPause)))
	next := p.slots.next(now)
	p.mu.Unlock()
	for _, lane := range next.cancel {
		p.pullers[lane].cancel()
	}
	for _, ask := range next.pulls {
		p.pullers[ask.lane].ask(ask.n, ask.wait, now)
	}
	return next.wake
}

func (p *Pool) checkPulls(now time.Time, reconnected bool) time.Time {
	var wake time.Time
	for _, lane := range Lanes() {
		wake = earlier(wake, p.pullers[lane].lost(now, reconnected))
	}
	return wake
}

// pullEnded is called by a puller.
func (p *Pool) pullEnded(lane Lane, end pullEnd) {
	now := time.Now()
	p.mu.Lock()
	p.slots.ended(lane, now)
	if end.fault != nil {
		p.fault = end.fault
	}
	if end.pause || end.fault != nil {
		p.slots.pause(now.Add(faultPause))
	}
	p.mu.Unlock()
	p.replan()
}

// faultPause is how long the pool leaves a broker alone that could not serve a pull.
const faultPause = 250 * time.Millisecond

// recoverTimeout bounds how long a broker that goes away keeps the pool from noticing.
const recoverTimeout = time.Second

func (p *Pool) takeFault() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.fault
	p.fault = nil
	return err
}

// recover sees to the consumers after a pull failed; they may have been removed.
func (p *Pool) recover(ctx context.Context, fault error) {
	if !p.bus.Connected() {
		return // the connection heals by itself
	}
	p.log.Warn("fetching was interrupted", "error", fault)
	// The broker is still removing the files of a consumer when it tells of its end, and
	// one that is made at once would lose its own with them.
	select {
	case <-ctx.Done():
		return
	case <-time.After(faultPause):
	}
	ctx, cancel := context.WithTimeout(ctx, recoverTimeout)
	defer cancel()
	if err := p.bus.EnsureConsumers(ctx, p.o.Agent, p.o.AckWait); err != nil && !errors.Is(err, context.Canceled) {
		p.log.Error("the agent's queue cannot be used", "error", err)
		p.mu.Lock()
		p.slots.pause(time.Now().Add(4 * faultPause))
		p.mu.Unlock()
	}
}

// minRoomPause bounds how often an agent without room is asked for it.
const minRoomPause = 10 * time.Millisecond

// Wake makes the pool ask for its room again, for example because a breaker has opened
// or closed. It does not block.
func (p *Pool) Wake() { p.replan() }

// replan makes the fetch loop look at the slots again.
func (p *Pool) replan() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func untilOr(t, now time.Time, limit time.Duration) time.Duration {
	if t.IsZero() {
		return limit
	}
	return min(max(t.Sub(now), time.Millisecond), limit)
}
