package resilience

import "time"

// windowSteps is in how many parts a window moves on.
const windowSteps = 10

// tally counts calls.
type tally struct{ calls, failed, slow int }

// window counts the calls of the last while, in steps: a call leaves it between
// nine and ten tenths of its length later. The zero window never moves; it is
// not safe for concurrent use.
type window struct {
	step  time.Duration
	at    int64 // the step counted now, since the clock's start
	parts [windowSteps]tally
	sum   tally
}

func newWindow(length time.Duration) window { return window{step: length / windowSteps} }

// add counts one call that ended now.
func (w *window) add(now time.Duration, failed, slow bool) {
	w.move(now)
	one := tally{calls: 1}
	if failed {
		one.failed = 1
	}
	if slow {
		one.slow = 1
	}
	w.parts[w.at%windowSteps].plus(one, 1)
	w.sum.plus(one, 1)
}

// move forgets what has become too old.
func (w *window) move(now time.Duration) {
	at := int64(now / w.step)
	if at-w.at >= windowSteps {
		*w = window{step: w.step, at: at}
		return
	}
	for w.at < at {
		w.at++
		old := &w.parts[w.at%windowSteps]
		w.sum.plus(*old, -1)
		*old = tally{}
	}
}

func (t *tally) plus(o tally, sign int) {
	t.calls += sign * o.calls
	t.failed += sign * o.failed
	t.slow += sign * o.slow
}
