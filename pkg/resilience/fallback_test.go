package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func mustFallback(t testing.TB, o resilience.FallbackOptions) *resilience.Fallback {
	t.Helper()
	f, err := resilience.NewFallback(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// did is how a rung of the model behaves.
type did string

const (
	answers   did = "answers"
	fails     did = "fails"
	isFinal   did = "fails for good"
	rejects   did = "rejects"
	asksLater did = "asks for later"
	says      did = "condition says no"
	tooShort  did = "needs more time"
)

func (d did) err() error {
	switch d {
	case fails:
		return errBoom
	case isFinal:
		return resilience.Permanent(errBoom)
	case rejects:
		return resilience.Reject("breaker open", time.Minute)
	case asksLater:
		return resilience.RetryAfter(errBoom, time.Hour)
	default:
		return nil
	}
}

func (d did) tried() bool { return d != says && d != tooShort }

// The model: the first rung that answers does, all above were tried or skipped
// as they behave, and the verdict speaks for all.
func TestFallbackAgainstAModel(t *testing.T) {
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		behaviours := rapid.SliceOfN(rapid.SampledFrom([]did{answers, fails, isFinal, rejects, asksLater, says, tooShort}), 1, 6).Draw(rt, "rungs")
		var o resilience.FallbackOptions
		var tried, wantTried []int
		for i, b := range behaviours {
			r := resilience.Rung{Name: fmt.Sprint("rung-", i)}
			switch {
			case b == says:
				r.When = func(context.Context) error { return errors.New("flag is off") }
			case b == tooShort:
				r.MinTime = time.Hour
			case rapid.Bool().Draw(rt, "policy"):
				r.Policy = resilience.Timeout{Limit: time.Second}
			}
			o.Rungs = append(o.Rungs, r)
		}
		var events []resilience.EventKind
		o.Observer = func(e resilience.Event) { events = append(events, e.Kind) }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answer, err := mustFallback(t, o).Answer(ctx, func(_ context.Context, i int) error {
			tried = append(tried, i)
			return behaviours[i].err()
		})

		winner := slices.Index(behaviours, answers)
		above := behaviours
		if winner >= 0 {
			above = behaviours[:winner]
		}
		var wantEvents []resilience.EventKind
		for i, b := range above {
			if b.tried() {
				wantTried = append(wantTried, i)
				wantEvents = append(wantEvents, resilience.EventRung)
			} else {
				wantEvents = append(wantEvents, resilience.EventRungSkipped)
			}
			if got := answer.Passed[i]; got.Rung != fmt.Sprint("rung-", i) || got.Skipped == b.tried() || got.Err == nil {
				rt.Fatalf("passed %d: got %+v for one that %s", i, got, b)
			}
		}
		if winner >= 0 {
			wantTried = append(wantTried, winner)
			if winner > 0 {
				wantEvents = append(wantEvents, resilience.EventRung)
			}
		}
		if answer.Index != winner || (err == nil) != (winner >= 0) || len(answer.Passed) != len(above) {
			rt.Fatalf("got rung %d and %v, want %d of %v", answer.Index, err, winner, behaviours)
		}
		if !slices.Equal(tried, wantTried) || !slices.Equal(events, wantEvents) {
			rt.Fatalf("got rungs %v tried and events %v, want %v and %v, of %v", tried, events, wantTried, wantEvents, behaviours)
		}
		if err == nil {
			return
		}
		all := func(ds ...did) bool {
			return !slices.ContainsFunc(behaviours, func(b did) bool { return !slices.Contains(ds, b) })
		}
		if got, want := resilience.IsPermanent(err), all(isFinal); got != want {
			rt.Fatalf("permanent: got %v, want %v, of %v", got, want, behaviours)
		}
		rejected := all(rejects, says, tooShort)
		if got := errors.Is(err, resilience.ErrRejected); got != rejected {
			rt.Fatalf("rejected: got %v, want %v, of %v", got, rejected, behaviours)
		}
		var rejection *resilience.RejectedError
		if got, want := errors.As(err, &rejection), rejected && slices.Contains(behaviours, rejects); got != want {
			rt.Fatalf("finds a rejection: got %v, want %v, of %v", got, want, behaviours)
		}
		var rung *resilience.RungError
		if !errors.As(err, &rung) || rung != answer.Passed[0] {
			rt.Fatalf("finds a rung's error: got %v, want that of the first rung", rung)
		}
		wantDelay := time.Duration(0)
		switch {
		case rejected && slices.Contains(behaviours, rejects):
			wantDelay = time.Minute
		case slices.Contains(behaviours, asksLater):
			wantDelay = time.Hour
		}
		if got, asks := resilience.RetryDelay(err); got != wantDelay || asks != (wantDelay > 0) {
			rt.Fatalf("delay: got %v (%v), want %v, of %v", got, asks, wantDelay, behaviours)
		}
		if got, want := errors.Is(err, errBoom), !rejected; got != want {
			rt.Fatalf("finds the failure: got %v, want %v, of %v", got, want, behaviours)
		}
		if lines := strings.Count(err.Error(), "\n"); lines != 0 {
			rt.Fatalf("got an error of %d lines, want one: %v", lines+1, err)
		}
	})
}

func TestFallbackStopsWhenItsContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f := mustFallback(t, resilience.FallbackOptions{Rungs: []resilience.Rung{
			{Name: "primary"},
			{Name: "static", Func: func(context.Context) error { t.Error("tried after the end"); return nil }},
		}})
		err := f.Do(ctx, hang)
		if got, want := message(err), "rung primary: context deadline exceeded; rung static skipped: context deadline exceeded"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if errors.Is(err, resilience.ErrRejected) || resilience.IsPermanent(err) {
			t.Errorf("got %v, want neither rejected nor permanent: it was tried", err)
		}
		if err := f.Do(ctx, func(context.Context) error { t.Error("tried after the end"); return nil }); !errors.Is(err, resilience.ErrRejected) {
			t.Errorf("a done context: got %v, want a rejection: nothing was tried", err)
		}
	})
}

// A rung that cannot finish makes way for one that can.
func TestFallbackSkipsWhatCannotFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		f := mustFallback(t, resilience.FallbackOptions{Rungs: []resilience.Rung{
			{Name: "primary", MinTime: 10 * time.Second, Policy: resilience.Timeout{Limit: 8 * time.Second}},
			{Name: "fallback", MinTime: 2*time.Second + 1},
			{Name: "cache", MinTime: 2 * time.Second},
		}})
		answer, err := f.Answer(ctx, func(ctx context.Context, rung int) error {
			if rung == 0 {
				return hang(ctx)
			}
			return nil
		})
		if err != nil || answer.Rung != "cache" || answer.Index != 2 {
			t.Errorf("got %+v and %v, want the cache to answer", answer, err)
		}
		if got, want := fmt.Sprint(answer.Passed), "[rung primary: timeout after 8s rung fallback skipped: needs 2.000000001s and has 2s]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestFallbackAnswersConcurrently(t *testing.T) {
	f := mustFallback(t, resilience.FallbackOptions{Rungs: []resilience.Rung{{Name: "a"}, {Name: "b"}, {Name: "c"}}})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 500 {
				calls := 0
				answer, err := f.Answer(t.Context(), func(_ context.Context, rung int) error {
					if rung != calls {
						t.Errorf("got rung %d, want %d", rung, calls)
					}
					calls++
					if rung < (n+i)%3 {
						return errBoom
					}
					return nil
				})
				if err != nil || answer.Index != (n+i)%3 {
					t.Errorf("got %+v and %v, want rung %d", answer, err, (n+i)%3)
				}
			}
		})
	}
	wg.Wait()
}

func TestFallbackLetsAPanicThroughAndWorksOn(t *testing.T) {
	f := mustFallback(t, resilience.FallbackOptions{Rungs: []resilience.Rung{{Name: "a"}, {Name: "b"}}})
	func() {
		defer func() {
			if recover() != "oops" {
				t.Error("the panic did not pass through")
			}
		}()
		_, _ = f.Answer(t.Context(), func(context.Context, int) error { panic("oops") })
	}()
	if answer, err := f.Answer(t.Context(), func(context.Context, int) error { return nil }); err != nil || answer.Rung != "a" {
		t.Errorf("got %+v and %v, want rung a", answer, err)
	}
}

func TestFallbackRefusesWhatCannotWork(t *testing.T) {
	_, err := resilience.NewFallback(resilience.FallbackOptions{})
	wantFields(t, err, "fallback: Rungs are missing")
	_, err = resilience.NewFallback(resilience.FallbackOptions{Rungs: []resilience.Rung{{Name: "a"}, {MinTime: -1}, {Name: "a"}}})
	wantFields(t, err, "Rungs[1].Name is missing", "Rungs[1].MinTime is -1ns", `Rungs[2].Name is "a", which is that of Rungs[0] too`)
	f := mustFallback(t, resilience.FallbackOptions{Rungs: []resilience.Rung{{Name: "a"}}})
	refusesMisuse(t, f)
	if _, err := f.Answer(t.Context(), nil); !resilience.IsPermanent(err) {
		t.Errorf("nil function: got %v, want a permanent error", err)
	}
}

func BenchmarkFallback(b *testing.B) {
	f := mustFallback(b, resilience.FallbackOptions{Rungs: []resilience.Rung{{Name: "a"}, {Name: "b"}}})
	b.Run("do", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = f.Do(b.Context(), pass)
		}
	})
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		try := func(context.Context, int) error { return nil }
		for b.Loop() {
			_, _ = f.Answer(b.Context(), try)
		}
	})
}
