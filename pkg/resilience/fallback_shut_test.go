package resilience_test

import (
	"context"
	"errors"
	"testing"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// A ladder that is used again and again says what a new one would, whatever it
// met before.
func TestFallbackThatRemembersIsAsOneThatDoesNot(t *testing.T) {
	var said [4]error
	var rungs []resilience.Rung
	for i, name := range []string{"primary", "second", "third", "static"} {
		rung := resilience.Rung{Name: name, Func: func(context.Context) error { return said[i] }}
		if i%2 == 1 {
			rung.When = func(context.Context) error {
				if errors.Is(said[i], errSkip) {
					return skipped(said[i])
				}
				return nil
			}
		}
		rungs = append(rungs, rung)
	}
	words := []error{
		nil, errBoom, resilience.Permanent(errBoom), resilience.Reject("breaker open", 60), resilience.Reject("no slot", 1),
		resilience.Reject("no slot", 0), &resilience.RejectedError{Cause: "breaker open", Err: errSkip},
	}
	o := resilience.FallbackOptions{Rungs: rungs}
	used := mustFallback(t, o)
	rapid.Check(t, func(rt *rapid.T) {
		for i := range said {
			said[i] = rapid.SampledFrom(words).Draw(rt, "said")
		}
		got, gotErr := used.Answer(t.Context(), func(context.Context, int) error { return nil })
		want, wantErr := mustFallback(t, o).Answer(t.Context(), func(context.Context, int) error { return nil })
		if got.Rung != want.Rung || got.Index != want.Index || len(got.Passed) != len(want.Passed) {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
		for i := range got.Passed {
			if *got.Passed[i] != *want.Passed[i] {
				rt.Fatalf("rung %d: got %+v, want %+v", i, got.Passed[i], want.Passed[i])
			}
		}
		if message(gotErr) != message(wantErr) || errors.Is(gotErr, resilience.ErrRejected) != errors.Is(wantErr, resilience.ErrRejected) ||
			resilience.IsPermanent(gotErr) != resilience.IsPermanent(wantErr) {
			rt.Fatalf("got %v, want %v", gotErr, wantErr)
		}
		gotDelay, gotAsks := resilience.RetryDelay(gotErr)
		if wantDelay, wantAsks := resilience.RetryDelay(wantErr); gotErr != nil && (gotDelay != wantDelay || gotAsks != wantAsks) {
			rt.Fatalf("got %v %v, want %v %v", gotDelay, gotAsks, wantDelay, wantAsks)
		}
	})
}

var errSkip = errors.New("skip")

// skipped is the rejection behind err.
func skipped(err error) error {
	var rejected *resilience.RejectedError
	errors.As(err, &rejected)
	return rejected
}
