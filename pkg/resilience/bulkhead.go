package resilience

import (
	"context"
	"sync/atomic"
	"time"
)

// The zero [BulkheadOptions]'s values.
const (
	defaultMaxWait    = 30 * time.Second
	defaultRetryAfter = time.Second
)

// The causes of a bulkhead's rejections.
const (
	causeNoSlot   = "no slot"   // all taken, and no room to wait
	causeSlotWait = "slot wait" // waited, in vain
)

// BulkheadOptions describe a [Bulkhead].
type BulkheadOptions struct {
	// Name is what the bulkhead is called in events and stats.
	Name string

	// Slots is how many calls run at once; at least 1.
	Slots int

	// MaxWaiting is how many more may wait for a slot. Zero: none, a call that
	// finds no slot is rejected at once.
	MaxWaiting int

	// MaxWait is how long one may wait. Zero: 30 s. Without MaxWaiting it is an
	// error.
	MaxWait time.Duration

	// RetryAfter is when rejected calls are told to come back. Zero: 1 s.
	RetryAfter time.Duration

	// Observer is told of rejections. It may be nil.
	Observer Observer
}

// Bulkhead is a [Policy] that runs at most so many calls at once. Calls beyond
// that wait, first come first served, as long and as many as its options allow;
// others are rejected. One Bulkhead may be part of any number of chains, which
// then share its slots; see [CheckOrder].
//
// Waiting ends with the context too. All rejections match [ErrRejected], since
// the work was not tried; that of an ended context wraps its cause.
type Bulkhead struct {
	name       string
	maxWaiting int
	maxWait    time.Duration
	observer   Observer
	full, late RejectedError // made once: rejecting allocates nothing

	slots    atomic.Int64
	rejected atomic.Uint64
	permits  permits
}

// NewBulkhead returns a bulkhead, or everything wrong with its options.
func NewBulkhead(o BulkheadOptions) (*Bulkhead, error) {
	p := problems{policy: "bulkhead"}
	p.unless(0 < o.Slots && o.Slots <= maxPermits, "Slots", "is %d; it must be within 1 and %d", o.Slots, maxPermits)
	o.check(&p)
	if err := p.err(); err != nil {
		return nil, err
	}
	return newBulkhead(o), nil
}

// check looks at all but Slots.
func (o BulkheadOptions) check(p *problems) {
	p.unless(0 <= o.MaxWaiting && o.MaxWaiting <= maxPermits, "MaxWaiting", "is %d; it must be within 0 and %d", o.MaxWaiting, maxPermits)
	p.unless(o.MaxWait >= 0, "MaxWait", "is %v; it must not be negative", o.MaxWait)
	p.unless(o.MaxWait <= 0 || o.MaxWaiting != 0, "MaxWait", "is %v, but MaxWaiting is 0 and lets nobody wait", o.MaxWait)
	p.unless(o.RetryAfter >= 0, "RetryAfter", "is %v; it must not be negative", o.RetryAfter)
}

func newBulkhead(o BulkheadOptions) *Bulkhead {
	if o.MaxWait == 0 {
		o.MaxWait = defaultMaxWait
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = defaultRetryAfter
	}
	b := &Bulkhead{
		name: o.Name, maxWaiting: o.MaxWaiting, maxWait: o.MaxWait, observer: o.Observer,
		full: RejectedError{Cause: causeNoSlot, After: o.RetryAfter},
		late: RejectedError{Cause: causeSlotWait, After: o.RetryAfter},
	}
	b.slots.Store(int64(o.Slots))
	b.permits.add(o.Slots)
	return b
}

// Do implements [Policy].
func (b *Bulkhead) Do(ctx context.Context, next Func) error {
	if err := usable(ctx, next); err != nil {
		return err
	}
	if !b.permits.try() {
		if err := b.wait(ctx); err != nil {
			return err
		}
	}
	defer b.permits.add(1)
	return next(ctx)
}

// wait takes a slot, or says why not.
func (b *Bulkhead) wait(ctx context.Context) error {
	var rejection *RejectedError
	switch b.permits.wait(ctx, b.maxWait, b.maxWaiting) {
	case granted:
		return nil
	case full:
		rejection = &b.full
	case late:
		rejection = &b.late
	case ended:
		rejection = &RejectedError{Cause: causeSlotWait, Err: context.Cause(ctx)}
	}
	b.rejected.Add(1)
	if b.observer != nil {
		b.observer(Event{
			Kind: EventRejected, Policy: "bulkhead", Name: b.name,
			Reason: rejection.Cause, Delay: rejection.After, Err: rejection.Err,
		})
	}
	return rejection
}

// resize changes the number of slots by what is missing to slots. Calls that
// run are left alone: with fewer slots, the next one starts when enough have
// ended.
func (b *Bulkhead) resize(slots int) {
	b.permits.add(slots - int(b.slots.Swap(int64(slots))))
}

// BulkheadStats is a bulkhead at one moment.
type BulkheadStats struct {
	Name     string `json:"name"`
	Slots    int    `json:"slots"`    // how many calls may run at once
	InUse    int    `json:"in_use"`   // how many run; above Slots only while an adaptive bulkhead shrinks
	Waiting  int    `json:"waiting"`  // how many wait for a slot
	Rejected uint64 `json:"rejected"` // how many calls were not run, since the start
}

// Stats returns the bulkhead as it is now. While calls come and go its numbers
// are of about the same moment.
func (b *Bulkhead) Stats() BulkheadStats {
	slots := int(b.slots.Load())
	waiting, free := b.permits.count()
	return BulkheadStats{
		Name: b.name, Slots: slots, InUse: max(slots-free, 0), Waiting: waiting, Rejected: b.rejected.Load(),
	}
}
