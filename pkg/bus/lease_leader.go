package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// leaderPrefix begins the keys of the leaders' leases.
const leaderPrefix = "leader."

const (
	// leadMargin is how long before the broker can give a lease to another one its holder
	// stops to lead: for what it began, and for clocks that run at different speeds.
	leadMargin = 500 * time.Millisecond
	// leadPause is how long one waits that led and failed.
	leadPause = time.Second
	// maxNote bounds what a leader may tell of itself, in bytes.
	maxNote = 256 << 10
)

// errLeaseLost is why the context of one who leads ends while the program goes on.
var errLeaseLost = errors.New("the lease is lost: another one may lead")

// LeadOptions say who wants to lead what. Name, Holder and Lead are needed.
type LeadOptions struct {
	Name   string // of what is led, as `monitor`
	Holder string // who contends, for people
	// Describe returns what the leader tells of itself, as JSON; it is asked each second,
	// from one goroutine, and must not block. nil: nothing.
	Describe func() any
	// Lead runs while this one leads. Its context ends as soon as the lease is lost or may
	// be. When it returns before, another one may lead, and this one contends again.
	Lead func(ctx context.Context) error
}

// Leadership is who leads something. The zero value: nobody does.
type Leadership struct {
	Holder string          `json:"holder"`
	Since  time.Time       `json:"since"`          // by the clock of the leader
	Note   json.RawMessage `json:"note,omitempty"` // what it tells of itself; nil: nothing
}

// Lead contends for the lead until ctx ends, and runs o.Lead while it has it; then it
// gives the lease up, so that another one takes over at once, and returns nil. The
// successor of one that died leads within five seconds. It survives outages of the
// broker, in which nobody leads. It waits for o.Lead to return before it contends again.
// The error of options that cannot work wraps [ErrInvalid].
//
// Two never lead at the same time. The broker gives the lease to one of those who ask,
// since each expects the last sequence of the key, and keeps it for three seconds after
// it has stored it. Its holder counts from before it sent what the broker confirmed, by
// the monotonic clock, and ends the context half a second before; a renewal without a
// confirmation counts for nothing. This takes a broker whose clock does not jump and an
// o.Lead that heeds its context. A process that is stopped heeds nothing: what must not
// be done twice needs a fence besides, as [Bus.PublishHealth] has.
func (b *Bus) Lead(ctx context.Context, o LeadOptions) error {
	if o.Name == "" || o.Holder == "" || o.Lead == nil {
		return fmt.Errorf("lead: %w: it needs a name, a holder and what to do", ErrInvalid)
	}
	l := newTerm(b, o)
	defer l.release(ctx)
	for l.contend(ctx) {
		b.log.Info("this one leads", "lease", o.Name, "holder", o.Holder)
		err := l.serve(ctx)
		l.release(ctx)
		switch {
		case ctx.Err() != nil:
			b.log.Info("this one leads no more", "lease", o.Name, "holder", o.Holder)
		case err != nil:
			b.log.Warn("this one leads no more", "lease", o.Name, "holder", o.Holder, "error", err)
		default:
			b.log.Warn("this one leads no more: its lead ended by itself", "lease", o.Name, "holder", o.Holder)
		}
		pause(ctx, leadPause)
	}
	return nil
}

// contend waits until this one leads; false when ctx ends before.
func (t *term) contend(ctx context.Context) bool {
	for logged := false; ctx.Err() == nil; pause(ctx, leaseRetry) {
		if !t.bus.Connected() {
			continue
		}
		err := t.take(ctx)
		if err == nil { // see term
			pause(ctx, leaseRetry)
			err = t.renew(ctx)
		}
		switch {
		case err == nil:
			return true
		case errors.Is(err, errHeld):
			logged = false
		case !logged && ctx.Err() == nil:
			logged = true
			t.bus.log.Warn("contend for the lead", "lease", t.o.Name, "holder", t.o.Holder, "error", err)
		}
	}
	return false
}

// serve runs o.Lead and renews the lease beside it, until one of them ends.
func (t *term) serve(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	expiry := time.AfterFunc(time.Until(t.until), func() { end(errLeaseLost) })
	defer expiry.Stop()
	var wg sync.WaitGroup
	done := make(chan error, 1)
	wg.Go(func() { done <- t.o.Lead(ctx) })
	defer wg.Wait()
	defer end(nil) // first of all
	wait := leaseRenew
	for {
		next := time.NewTimer(wait)
		select {
		case err := <-done:
			next.Stop()
			return err
		case <-ctx.Done():
			next.Stop()
			return context.Cause(ctx)
		case <-next.C:
		}
		began := time.Now()
		switch err := t.renew(ctx); {
		case err == nil:
			expiry.Reset(time.Until(t.until))
			wait = max(0, leaseRenew-time.Since(began))
		case errors.Is(err, errHeld):
			end(errLeaseLost)
		default:
			wait = leaseRetry
		}
	}
}

// pause waits, or returns earlier when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
