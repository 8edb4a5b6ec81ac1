package bus

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"genesis/pkg/resilience"
)

// An execution is one message in one slot.
type execution struct {
	lane   Lane
	msg    *nats.Msg
	cancel context.CancelCauseFunc
	// settled is taken by whoever settles the message, so that it is settled once.
	settled atomic.Bool
	// delivery is what the message says, once it was read; guarded by the pool's mutex.
	delivery *delivery
}

// An outcome is what an execution came to.
type outcome struct {
	verdict  Verdict
	answer   Answer
	err      error
	duration time.Duration
	// delay is when the message comes back, for verdicts that put it back.
	delay time.Duration
	// existing is the result that is there already, for those verdicts.
	existing StoredResult
}

// receive is called by a puller for each message.
func (p *Pool) receive(work context.Context, lane Lane, msg *nats.Msg) {
	meta, err := msg.Metadata()
	if err != nil { // not a message of a consumer: there is nobody to settle it with
		p.log.Error("a message without delivery metadata", "subject", msg.Subject, "error", err)
		return
	}
	ctx, cancel := context.WithCancelCause(work)
	e := &execution{lane: lane, msg: msg, cancel: cancel}
	p.mu.Lock()
	ok := !p.ended && p.slots.arrived(lane, meta.NumPending)
	if ok {
		p.held[e] = struct{}{}
		if p.slots.room >= 0 { // until it is executed, what it takes of the room does not show
			p.slots.pause(time.Now().Add(minRoomPause))
		}
	}
	settled := p.slots.settled()
	p.mu.Unlock()
	if !ok { // it came after its pull was given up, and every slot is taken
		cancel(nil)
		p.refuse(work, e, meta)
		return
	}
	a := assignment{ctx, e, meta}
	select {
	case p.idle <- a:
	default:
		p.running.Go(func() { p.work(a) })
	}
	if !settled {
		p.replan()
	}
}

// refuse gives back a message that found no slot. The ledger says so, because its
// worker did not die.
func (p *Pool) refuse(ctx context.Context, e *execution, meta *nats.MsgMetadata) {
	d, err := open(e.msg, meta, p.o.Agent, e.lane)
	if err == nil { // a malformed one is not executed, so that its crashes do not count
		p.putBack(ctx, d, outcome{verdict: VerdictHeld, err: errNoSlot})
	}
	p.settleMessage(e, func() error { return e.msg.Nak() })
}

var errNoSlot = errors.New("it came too late for the slot that it was fetched for")

// An assignment is a message for a slot.
type assignment struct {
	ctx  context.Context //nolint:containedctx // handed from one goroutine to another, not kept
	e    *execution
	meta *nats.MsgMetadata
}

// work is a slot's goroutine. It stays for further messages, because a fresh one
// would have to grow its stack for each.
func (p *Pool) work(a assignment) {
	for {
		p.handle(a.ctx, a.e, a.meta)
		p.release(a.e)
		select {
		case a = <-p.idle:
		case <-p.done:
			return
		}
	}
}

// release frees the slot.
func (p *Pool) release(e *execution) {
	e.cancel(nil)
	p.mu.Lock()
	delete(p.held, e)
	p.slots.finished(e.lane)
	settled := p.slots.settled() && !p.slots.closed
	p.mu.Unlock()
	if !settled {
		p.replan()
	}
}

func (p *Pool) handle(ctx context.Context, e *execution, meta *nats.MsgMetadata) {
	d, err := open(e.msg, meta, p.o.Agent, e.lane)
	fault("opened")
	p.mu.Lock()
	e.delivery = d
	p.mu.Unlock()
	var o outcome
	if err != nil {
		o = outcome{verdict: VerdictMalformed, err: err}
	} else {
		o = p.decide(ctx, d)
	}
	p.settle(ctx, e, d, o)
}

// decide looks at what is known of the request and executes it if it should be.
func (p *Pool) decide(ctx context.Context, d *delivery) outcome {
	if o, known := p.lookBack(ctx, d); known {
		return o
	}
	switch crashes := d.history.crashes(d.job.Deliveries); {
	case crashes >= p.o.MaxCrashes:
		return outcome{verdict: VerdictPoison, err: errPoison}
	case crashes > 0 && crashes == p.o.MaxCrashes-1:
		// What one more crash would condemn runs alone among its like, so that one bad
		// request does not condemn others, which died with it.
		if !p.takeSuspect() {
			return outcome{verdict: VerdictHeld, err: resilience.RetryAfter(errNotAlone, jitter(suspectDelay))}
		}
		defer p.freeSuspect()
	}
	if d.history.Attempts >= p.o.MaxAttempts {
		return outcome{verdict: VerdictExhausted, err: errors.New(d.history.lastError())}
	}
	d.job.Attempt = d.history.Attempts + 1
	if !d.job.Deadline.IsZero() {
		if !time.Now().Before(d.job.Deadline) {
			return outcome{verdict: VerdictExpired, err: errExpired}
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, d.job.Deadline, errExpired)
		defer cancel()
	}
	d.started = time.Now()
	answer, err := p.call(ctx, &d.job)
	fault("executed")
	o := outcome{
		verdict:  classify(ctx, err, d.job.Attempt, p.o.MaxAttempts),
		answer:   answer,
		err:      err,
		duration: time.Since(d.started),
	}
	if o.verdict == VerdictAnswered {
		return p.checkCancelled(ctx, d, o)
	}
	return o
}

// errNotAlone is why a request that crashed a worker is put back for a moment.
var errNotAlone = errors.New("it runs when no other request that crashed a worker does")

// call runs the handler and turns its panic into an error.
func (p *Pool) call(ctx context.Context, job *Job) (answer Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			answer, err = Answer{}, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return p.o.Handler(ctx, job)
}

func (p *Pool) takeSuspect() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.suspect {
		return false
	}
	p.suspect = true
	return true
}

func (p *Pool) freeSuspect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.suspect = false
}

// Cancel ends the execution of a request, if this pool executes it, and reports
// whether it does. Its result has to be stored before.
func (p *Pool) Cancel(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := false
	for e := range p.held {
		if e.delivery != nil && e.delivery.job.ID == id {
			e.cancel(ErrCancelled)
			found = true
		}
	}
	return found
}
