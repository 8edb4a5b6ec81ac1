package resilience

import (
	"context"
	"math"
	"time"
)

// The modes of a shared limit, as its events spell them.
const (
	modeShared = "shared"
	modeLocal  = "local"
)

// Run leases tokens until ctx ends; then it gives back what is left and returns
// nil. It may be called again after it returned.
func (s *SharedRateLimit) Run(ctx context.Context) error {
	if err := hasContext(ctx); err != nil {
		return err
	}
	if !s.running.CompareAndSwap(false, true) {
		return errRunning("shared rate limit", s.o.Name)
	}
	defer s.running.Store(false)

	ticker := time.NewTicker(s.o.Interval)
	defer ticker.Stop()
	var d demand
	for {
		if err := s.renew(ctx, &d); err != nil && ctx.Err() == nil {
			s.goLocal(err)
		}
		select {
		case <-ctx.Done():
			s.end(ctx)
			return nil
		case <-ticker.C:
		}
	}
}

// demand estimates how many tokens the calls of one interval take.
type demand struct {
	held     int     // tokens in hand after the last lease
	rejected uint64  // calls rejected until then
	average  float64 // of the last intervals
}

// next returns how many tokens to hold: twice what an interval takes, so that
// demand may double before anybody is rejected, and one for a call that comes
// out of nothing.
func (d *demand) next(held, waiting int, rejected uint64) int {
	used := float64(max(d.held-held, 0)) + float64(waiting) + float64(rejected-d.rejected)
	d.rejected = rejected
	d.average = max(used, 0.7*d.average+0.3*used)
	return max(int(min(math.Ceil(2*d.average), maxPermits)), 1)
}

// renew leases what the calls of the next interval need, or gives back what is
// too much. A token is given back before the store hears of it: what is used in
// the same moment is owed, and paid from the next lease.
func (s *SharedRateLimit) renew(ctx context.Context, d *demand) error {
	waiting, free := s.tokens.count()
	want := min(d.next(free, waiting, s.rejected.Load()), s.o.Burst) - free
	if err := s.lease(ctx, want); err != nil {
		return err
	}
	_, d.held = s.tokens.count()
	if local := s.local.Swap(nil); local != nil {
		s.changed(modeLocal, modeShared, nil)
	}
	return nil
}

// lease asks the store for want tokens, or gives -want back.
func (s *SharedRateLimit) lease(ctx context.Context, want int) error {
	ctx, cancel := context.WithTimeout(ctx, updateIntervals*s.o.Interval)
	defer cancel()
	if want < 0 {
		s.tokens.add(want)
	}
	granted, replicas := 0, 1
	spent := s.spent.Swap(0)
	err := s.o.Store.Update(ctx, s.o.Name, func(b TokenBucket) TokenBucket {
		b, granted, replicas = b.take(lease{
			replica: s.o.Replica, now: time.Now(), perSecond: s.o.PerSecond, burst: s.o.Burst,
			want: want, spent: int(spent), forget: forgetIntervals * s.o.Interval,
		})
		return b
	})
	if err != nil {
		s.spent.Add(spent)
		s.tokens.add(max(-want, 0))
		return err
	}
	s.replicas.Store(int64(replicas))
	s.tokens.add(granted)
	return nil
}

// goLocal makes the limit local, unless it is. Its bucket starts empty.
func (s *SharedRateLimit) goLocal(why error) {
	if s.local.Load() != nil {
		return
	}
	local, err := s.newLocal()
	if err != nil { // its options were checked
		return
	}
	local.drain()
	s.local.Store(local)
	s.changed(modeShared, modeLocal, why)
}

// end gives back what is left, as far as the store can be reached.
func (s *SharedRateLimit) end(ctx context.Context) {
	s.goLocal(context.Cause(ctx))
	if _, free := s.tokens.count(); free > 0 {
		_ = s.lease(context.WithoutCancel(ctx), -free) // a lease that is not given back costs the others a moment
	}
}

func (s *SharedRateLimit) changed(from, to string, why error) {
	if s.o.Observer != nil {
		s.o.Observer(Event{Kind: EventLimitChanged, Policy: "ratelimit", Name: s.o.Name, From: from, To: to, Err: why})
	}
}
