package resilience

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// CheckInBubble is rapid.Check in virtual time. rapid asks a *testing.T for its
// deadline, which a bubble refuses; so it is not shown one.
func CheckInBubble(t *testing.T, property func(*testing.T, *rapid.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { property(t, rt) })
	})
}

// SetCompute replaces what keeps a core busy, which in virtual time would never
// end.
func (c *Chaos) SetCompute(compute func(d time.Duration)) { c.compute = compute }
