package resilience_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"
)

func mustBulkhead(t testing.TB, o resilience.BulkheadOptions) *resilience.Bulkhead {
	t.Helper()
	b, err := resilience.NewBulkhead(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBulkheadRejectsBeyondItsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []resilience.Event
		b := mustBulkhead(t, resilience.BulkheadOptions{
			Name: "io", Slots: 2, RetryAfter: 3 * time.Second,
			Observer: func(e resilience.Event) { events = append(events, e) },
		})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { _ = b.Do(t.Context(), func(context.Context) error { wait(time.Second); return nil }) })
		}
		synctest.Wait()
		err := b.Do(t.Context(), func(context.Context) error { t.Error("ran beyond the slots"); return nil })
		if got, want := err.Error(), "rejected: no slot (come back in 3s)"; got != want {
			t.Errorf("error: got %q, want %q", got, want)
		}
		if d, asks := resilience.RetryDelay(err); !errors.Is(err, resilience.ErrRejected) || d != 3*time.Second || !asks {
			t.Errorf("got %v, want a rejection that asks for 3s", err)
		}
		want := resilience.BulkheadStats{Name: "io", Slots: 2, InUse: 2, Rejected: 1}
		if got := b.Stats(); got != want {
			t.Errorf("stats: got %+v, want %+v", got, want)
		}
		wantEvent := resilience.Event{
			Kind: resilience.EventRejected, Policy: "bulkhead", Name: "io", Reason: "no slot", Delay: 3 * time.Second,
		}
		if !slices.Equal(events, []resilience.Event{wantEvent}) {
			t.Errorf("events: got %+v, want %+v", events, wantEvent)
		}
		wg.Wait()
		if got := b.Stats(); got.InUse != 0 {
			t.Errorf("in use at the end: got %d, want 0", got.InUse)
		}
	})
}

func TestBulkheadServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mustBulkhead(t, resilience.BulkheadOptions{Slots: 1, MaxWaiting: 10})
		var wg sync.WaitGroup
		var order []int
		for i := range 10 {
			wg.Go(func() {
				_ = b.Do(t.Context(), func(context.Context) error { order = append(order, i); wait(time.Second); return nil })
			})
			synctest.Wait()
		}
		wg.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(order, want) {
			t.Errorf("got %v, want %v", order, want)
		}
	})
}

func TestBulkheadWaitingEnds(t *testing.T) {
	errDrain := errors.New("draining")
	tests := []struct {
		name    string
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		maxWait time.Duration
		took    time.Duration
		err     string
		is      error
	}{
		{"at MaxWait", context.WithCancel, 5 * time.Second, 5 * time.Second, "rejected: slot wait (come back in 1s)", resilience.ErrRejected},
		{"after 30 s when nothing is said", context.WithCancel, 0, 30 * time.Second, "rejected: slot wait (come back in 1s)", resilience.ErrRejected},
		{"with the caller's deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, 5 * time.Second, time.Second, "rejected: slot wait: context deadline exceeded", context.DeadlineExceeded},
		{"with the caller's cancellation, which says why", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			stop := time.AfterFunc(time.Second, func() { cancel(errDrain) })
			return ctx, func() { stop.Stop() }
		}, 5 * time.Second, time.Second, "rejected: slot wait: draining", errDrain},
		{"at once when the context has ended", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, 5 * time.Second, 0, "rejected: slot wait: context canceled", context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mustBulkhead(t, resilience.BulkheadOptions{Slots: 1, MaxWaiting: 1, MaxWait: tt.maxWait})
				var wg sync.WaitGroup
				wg.Go(func() { _ = b.Do(t.Context(), func(context.Context) error { wait(time.Minute); return nil }) })
				synctest.Wait()
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				start := time.Now()
				err := b.Do(ctx, func(context.Context) error { t.Error("ran without a slot"); return nil })
				if took := time.Since(start); took != tt.took || err.Error() != tt.err {
					t.Errorf("got %q after %v, want %q after %v", err, took, tt.err, tt.took)
				}
				if !errors.Is(err, tt.is) || !errors.Is(err, resilience.ErrRejected) {
					t.Errorf("got %v, want it to match %v and to be a rejection", err, tt.is)
				}
				wg.Wait()
				if s := b.Stats(); s.InUse != 0 || s.Waiting != 0 {
					t.Errorf("at the end: got %+v, want nothing in use or waiting", s)
				}
			})
		})
	}
}

func TestBulkheadGivesTheSlotBackAfterAPanic(t *testing.T) {
	b := mustBulkhead(t, resilience.BulkheadOptions{Slots: 1})
	func() {
		defer func() {
			if recover() != "oops" {
				t.Error("the panic did not pass through")
			}
		}()
		_ = b.Do(t.Context(), func(context.Context) error { panic("oops") })
	}()
	if err := b.Do(t.Context(), func(context.Context) error { return errBoom }); !errors.Is(err, errBoom) {
		t.Errorf("got %v, want %v", err, errBoom)
	}
}

func TestBulkheadRefusesWhatCannotWork(t *testing.T) {
	_, err := resilience.NewBulkhead(resilience.BulkheadOptions{MaxWaiting: -1, MaxWait: -1, RetryAfter: -1})
	wantFields(t, err, "bulkhead: Slots is 0", "bulkhead: MaxWaiting is -1", "bulkhead: MaxWait is -1ns", "bulkhead: RetryAfter is -1ns")
	_, err = resilience.NewBulkhead(resilience.BulkheadOptions{Slots: 1, MaxWait: time.Second})
	wantFields(t, err, "bulkhead: MaxWait is 1s, but MaxWaiting is 0 and lets nobody wait")
	b := mustBulkhead(t, resilience.BulkheadOptions{Slots: 1})
	refusesMisuse(t, b)
}

// wantFields checks that err is of so many lines, one for each of what is wanted.
func wantFields(t *testing.T, err error, want ...string) {
	t.Helper()
	lines := strings.Split(message(err), "\n")
	if len(lines) != len(want) {
		t.Errorf("got %d problems (%v), want %d", len(lines), err, len(want))
	}
	for _, w := range want {
		if !strings.Contains(message(err), w) {
			t.Errorf("got %v, want it to say %q", err, w)
		}
	}
}

// refusesMisuse checks what every policy promises about nil.
func refusesMisuse(t *testing.T, p resilience.Policy) {
	t.Helper()
	//nolint:staticcheck // a nil context is what this is about
	if err := p.Do(nil, func(context.Context) error { return nil }); !resilience.IsPermanent(err) {
		t.Errorf("nil context: got %v, want a permanent error", err)
	}
	if err := p.Do(t.Context(), nil); !resilience.IsPermanent(err) {
		t.Errorf("nil function: got %v, want a permanent error", err)
	}
}

func BenchmarkBulkhead(b *testing.B) {
	work := func(context.Context) error { return nil }
	open := mustBulkhead(b, resilience.BulkheadOptions{Slots: 100})
	b.Run("success", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = open.Do(b.Context(), work)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = open.Do(b.Context(), work)
			}
		})
	})
	b.Run("rejected", func(b *testing.B) {
		shut := mustBulkhead(b, resilience.BulkheadOptions{Slots: 1})
		b.ReportAllocs()
		_ = shut.Do(b.Context(), func(ctx context.Context) error {
			for b.Loop() {
				_ = shut.Do(ctx, work)
			}
			return nil
		})
	})
}
