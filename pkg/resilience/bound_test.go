package resilience

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

type boundKey struct{}

// TestBoundIsAContextWithADeadline asks a bound and context.WithDeadlineCause
// the same questions at the same times, alone and as parents of others.
func TestBoundIsAContextWithADeadline(t *testing.T) {
	errBound, errParent := errors.New("bound"), errors.New("parent")
	CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		parent, cancelParent := context.WithCancelCause(context.WithValue(t.Context(), boundKey{}, "value"))
		defer cancelParent(nil)
		if rapid.Bool().Draw(rt, "parent has a deadline") {
			later := time.Duration(rapid.IntRange(1, 20).Draw(rt, "parent's seconds")) * time.Second
			var cancel context.CancelFunc
			parent, cancel = context.WithTimeoutCause(parent, later, errParent)
			defer cancel()
		}
		// Never at the same instant as the parent's: which is first would be chance.
		at := time.Now().Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "seconds"))*time.Second + time.Millisecond)
		want, cancel := context.WithDeadlineCause(parent, at, errBound)
		defer cancel()
		b := newBound(parent, at, errBound)
		defer b.end()

		type pair struct{ got, want context.Context } //nolint:containedctx // contexts are what is compared
		pairs := []pair{{b, want}}
		rt.Repeat(map[string]func(*rapid.T){
			"wait": func(rt *rapid.T) {
				<-time.After(time.Duration(rapid.IntRange(1, 6000).Draw(rt, "ms")) * time.Millisecond / 7 * 7)
			},
			"done": func(rt *rapid.T) {
				p := pairs[rapid.IntRange(0, len(pairs)-1).Draw(rt, "context")]
				synctest.Wait()
				if got, want := closed(p.got), closed(p.want); got != want {
					rt.Fatalf("done: got %v, want %v", got, want)
				}
			},
			"err": func(rt *rapid.T) {
				p := pairs[rapid.IntRange(0, len(pairs)-1).Draw(rt, "context")]
				synctest.Wait()
				if got, want := p.got.Err(), p.want.Err(); !errors.Is(got, want) || (got == nil) != (want == nil) {
					rt.Fatalf("err: got %v, want %v", got, want)
				}
				if got, want := context.Cause(p.got), context.Cause(p.want); !errors.Is(got, want) || (got == nil) != (want == nil) {
					rt.Fatalf("cause: got %v, want %v", got, want)
				}
			},
			"child": func(rt *rapid.T) {
				p := pairs[0]
				got, cancelGot := context.WithCancel(p.got)
				want, cancelWant := context.WithCancel(p.want)
				rt.Cleanup(func() { cancelGot(); cancelWant() })
				pairs = append(pairs, pair{got, want})
			},
			"value": func(rt *rapid.T) {
				p := pairs[rapid.IntRange(0, len(pairs)-1).Draw(rt, "context")]
				if p.got.Value(boundKey{}) != "value" || p.got.Value("other") != nil {
					rt.Fatalf("value: got %v and %v", p.got.Value(boundKey{}), p.got.Value("other"))
				}
			},
			"deadline": func(rt *rapid.T) {
				got, ok := b.Deadline()
				if wanted, _ := want.Deadline(); !ok || !got.Equal(wanted) {
					rt.Fatalf("deadline: got %v, want %v", got, wanted)
				}
			},
			"cancel the parent": func(rt *rapid.T) {
				if rapid.IntRange(0, 5).Draw(rt, "really") > 0 {
					rt.Skip("seldom")
				}
				if parent.Err() == nil && want.Err() == nil {
					cancelParent(errParent)
				}
			},
			"end": func(rt *rapid.T) {
				if rapid.IntRange(0, 5).Draw(rt, "really") > 0 {
					rt.Skip("seldom")
				}
				_ = b.Err() // what has ended is seen to have ended: the same instant
				cancel()
				b.end()
			},
		})
	})
}

func closed(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}
