package resilience

import (
	"sync"
	"testing"
)

func TestQueueReportsInOrderWithoutALock(t *testing.T) {
	var (
		q    queue
		seen []int
		wg   sync.WaitGroup
		mu   sync.Mutex // as the breaker's: what is added has an order
		next int
	)
	observe := func(e Event) { // one at a time, though many flush
		seen = append(seen, e.Attempt)
		q.flush(nil) // a policy called back by its observer does not deadlock
	}
	for range 8 {
		wg.Go(func() {
			for range 500 {
				mu.Lock()
				q.add(Event{Attempt: next})
				next++
				mu.Unlock()
				q.flush(observe)
			}
		})
	}
	wg.Wait()
	q.flush(observe)
	if len(seen) != 4000 {
		t.Fatalf("got %d events, want 4000", len(seen))
	}
	for i, n := range seen {
		if n != i {
			t.Fatalf("got event %d at place %d", n, i)
		}
	}
}

func TestQueueSurvivesAPanicOfItsObserver(t *testing.T) {
	var q queue
	q.add(Event{Attempt: 1})
	q.add(Event{Attempt: 2})
	func() {
		defer func() { _ = recover() }()
		q.flush(func(Event) { panic("boom") })
	}()
	got := 0
	q.flush(func(e Event) { got = e.Attempt })
	if got != 2 {
		t.Errorf("got event %d, want the second", got)
	}
}
