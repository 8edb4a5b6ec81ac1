package resilience

import (
	"context"
	"errors"
	"sync"
)

// errAbandoned is the cause with which the context of a flight ends when every
// caller has gone.
var errAbandoned = errors.New("every caller has gone")

// SingleFlight lets callers that ask for the same thing at the same time share
// one call. Its zero value is ready to use; it must not be copied. Errors are
// shared as results are, and nothing is kept once the call has returned: it is no
// cache.
type SingleFlight[K comparable, V any] struct {
	// Name is what events call it, and Observer is told of each call that joined
	// another. Both may be left out, and must not change.
	Name     string
	Observer Observer

	mu      sync.Mutex
	flights map[K]*flight[V]
}

// flight is one call in the air.
type flight[V any] struct {
	done   chan struct{}
	run    sync.WaitGroup
	cancel context.CancelCauseFunc

	callers int // guarded by the SingleFlight's mu
	joined  bool

	value V // these three are set before done is closed
	err   error
	panic *raised
}

// Do returns what fn returns for key, and whether other callers got the same.
// The first caller's fn runs; those who come while it runs wait for it, and
// their fn is not called.
//
// A caller whose context ends goes with the cause of that, and the call goes on
// for the others: its context has the values of the first caller's and ends when
// every caller has gone. The last one to go waits for it, so no call outlives its
// callers. After that a new caller starts a new call, whether or not the old one
// has returned.
//
// A panic in fn is raised again in every caller that waits for it. A nil context
// or function is a permanent error.
func (s *SingleFlight[K, V]) Do(ctx context.Context, key K, fn func(context.Context) (V, error)) (value V, shared bool, err error) {
	if fn == nil {
		return value, false, errNilFunc()
	}
	if err := hasContext(ctx); err != nil {
		return value, false, err
	}
	f, work := s.board(ctx, key)
	if work != nil {
		f.run.Go(func() {
			caught(func() (err error) {
				f.value, err = fn(work)
				return err
			}, func(err error, p *raised) {
				f.err, f.panic = err, p
				s.land(key, f)
				f.cancel(nil)
				close(f.done)
			})
		})
	} else if s.Observer != nil {
		s.Observer(Event{Kind: EventShared, Policy: "singleflight", Name: s.Name})
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		if !s.leave(key, f) {
			return value, false, context.Cause(ctx)
		}
		f.cancel(errAbandoned)
		f.run.Wait() // its result, if it has one nevertheless, is as good as any
	}
	switch {
	case f.panic != nil:
		panic(f.panic.value)
	case errors.Is(f.err, errAbandoned) || f.err != nil && ctx.Err() != nil:
		return value, s.wasShared(f), context.Cause(ctx)
	case f.err != nil:
		return value, s.wasShared(f), f.err
	}
	return f.value, s.wasShared(f), nil
}

// board joins the flight of key, or readies one and returns the context for it.
func (s *SingleFlight[K, V]) board(ctx context.Context, key K) (f *flight[V], work context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[key]; f != nil {
		f.callers++
		f.joined = true
		return f, nil
	}
	if s.flights == nil {
		s.flights = map[K]*flight[V]{}
	}
	f = &flight[V]{done: make(chan struct{}), callers: 1}
	work, f.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	s.flights[key] = f
	return f, work
}

// land makes way for the next flight of key.
func (s *SingleFlight[K, V]) land(key K, f *flight[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[key] == f {
		delete(s.flights, key)
	}
}

// leave takes one caller off f and reports whether it was the last.
func (s *SingleFlight[K, V]) leave(key K, f *flight[V]) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.callers--
	if f.callers > 0 {
		return false
	}
	if s.flights[key] == f {
		delete(s.flights, key)
	}
	return true
}

func (s *SingleFlight[K, V]) wasShared(f *flight[V]) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.joined
}
