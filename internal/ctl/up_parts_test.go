package ctl

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary notes what happens, in its order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// part runs until its context ends, then takes a second to stop; or ends early with err.
func (d *diary) part(name string, early time.Duration, err error) part {
	return part{name, func(ctx context.Context) error {
		never := make(<-chan time.Time)
		if early > 0 {
			never = time.After(early)
		}
		select {
		case <-never:
			d.note(name + " ends early")
			return err
		case <-ctx.Done():
		}
		d.note(name + " stops")
		<-time.After(time.Second)
		d.note(name + " stopped")
		return nil
	}}
}

func TestPartsStopInTheirOrder(t *testing.T) {
	broken := errors.New("broken")
	inOrder := []string{"ready", "stopping", "a stops", "a stopped", "b stops", "b stopped"}
	for _, tt := range []struct {
		name  string
		a, b  time.Duration // when it ends early; 0 is not
		err   error
		ready error
		want  []string
		is    error
	}{
		{"an interrupt", 0, 0, nil, nil, inOrder, nil},
		{"the first fails", time.Second, 0, broken, nil, []string{"ready", "a ends early", "stopping", "b stops", "b stopped"}, broken},
		{"the last fails", 0, time.Second, broken, nil, []string{"ready", "b ends early", "stopping", "a stops", "a stopped"}, broken},
		{"one ends though nobody told it to", 0, time.Second, nil, nil, []string{"ready", "b ends early", "stopping", "a stops", "a stopped"}, errStopped},
		{"they are never ready", 0, 0, nil, broken, inOrder, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var d diary
				err := runParts(ctx, []part{d.part("a", tt.a, tt.err), d.part("b", tt.b, tt.err)},
					func(context.Context) error { d.note("ready"); return tt.ready },
					func() { d.note("stopping"); <-time.After(time.Millisecond) })
				if !errors.Is(err, tt.is) || tt.is == nil && err != nil {
					t.Errorf("got error %v, want %v", err, tt.is)
				}
				// The note of the end is written beside the end itself.
				got, want := slices.Clone(d.lines), slices.Clone(tt.want)
				drop := func(line string) bool { return line == "stopping" }
				if !slices.Contains(got, "stopping") {
					t.Errorf("got %q, want it to tell that it stops", got)
				}
				if got, want = slices.DeleteFunc(got, drop), slices.DeleteFunc(want, drop); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}
