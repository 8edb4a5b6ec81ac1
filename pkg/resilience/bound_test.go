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
	CheckInBubble(t, func(bt *testing.T, t *rapid.T) {
		parent, cancelParent := context.WithCancelCause(context.WithValue(bt.Context(), boundKey{}, "value"))
		defer cancelParent(nil)
		if rapid.Bool().Draw(t, "parent has a deadline") {
			later := time.Duration(rapid.IntRange(1, 20).Draw(t, "parent's seconds")) * time.Second
			var cancel context.CancelFunc
			parent, cancel = context.WithTimeoutCause(parent, later, errParent)
			defer cancel()
		}
		// Never at the same instant as the parent's: which is first would be chance.
		at := time.Now().Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds"))*time.Second + time.Millisecond)
		want, cancel := context.WithDeadlineCause(parent, at, errBound)
		defer cancel()
		b := newBound(parent, at, errBound)
		defer b.end()

		type pair struct{ got, want context.Context }
		pairs := []pair{{b, want}}
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				<-time.After(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms")) * time.Millisecond / 7 * 7)
			},
			"done": func(t *rapid.T) {
				p := pairs[rapid.IntRange(0, len(pairs)-1).Draw(t, "context")]
				synctest.Wait()
				if got, want := closed(p.got), closed(p.want); got != want {
					t.Fatalf("done: got %v, want %v", got, want)
				}
			},
			"err": func(t *rapid.T) {
				p := pairs[rapid.IntRange(0, len(pairs)-1).Draw(t, "context")]
				synctest.Wait()
				if got, want := p.got.Err(), p.want.Err(); !errors.Is(got, want) || (got == nil) != (want == nil) {
					t.Fatalf("err: got %v, want %v", got, want)
				}
				if got, want := context.Cause(p.got), context.Cause(p.want); !errors.Is(got, want) || (got == nil) != (want == nil) {
					t.Fatalf("cause: got %v, want %v", got, want)
				}
			},
			"child": func(t *rapid.T) {
				p := pairs[0]
				got, cancelGot := context.WithCancel(p.got)
				want, cancelWant := context.WithCancel(p.want)
				bt.Cleanup(func() { cancelGot(); cancelWant() })
				pairs = append(pairs, pair{got, want})
			},
			"value": func(t *rapid.T) {
				p := pairs[rapid.IntRange(0, len(pairs)-1).Draw(t, "context")]
				if p.got.Value(boundKey{}) != "value" || p.got.Value("other") != nil {
					t.Fatalf("value: got %v and %v", p.got.Value(boundKey{}), p.got.Value("other"))
				}
			},
			"deadline": func(t *rapid.T) {
				got, ok := b.Deadline()
				if wanted, _ := want.Deadline(); !ok || !got.Equal(wanted) {
					t.Fatalf("deadline: got %v, want %v", got, wanted)
				}
			},
			"cancel the parent": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "really") > 0 {
					t.Skip("seldom")
				}
				if parent.Err() == nil && want.Err() == nil {
					cancelParent(errParent)
				}
			},
			"end": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "really") > 0 {
					t.Skip("seldom")
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
