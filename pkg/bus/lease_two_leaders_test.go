package bus_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"genesis/pkg/bus/bustest"
)

// Three contend, their connections break or go deaf, and the broker restarts.
func TestTwoNeverLeadAtTheSameTime(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				r := rand.New(rand.NewPCG(seed, 4))
				var a annals
				all := make([]*contender, 3)
				for i := range all {
					all[i] = a.contender(t, s, fmt.Sprint("c", i))
				}
				for range 40 {
					some := all[r.IntN(len(all))]
					if who := a.now(); len(who) == 1 && r.IntN(3) > 0 { // mostly the one who leads
						some = all[slices.IndexFunc(all, func(c *contender) bool { return c.name == who[0] })]
					}
					long := time.Duration(r.Int64N(int64(6 * time.Second)))
					switch r.IntN(5) {
					case 0:
						some.wire.sever(true)
						spend(t.Context(), long)
						some.wire.sever(false)
					case 1:
						some.wire.deafen(true)
						spend(t.Context(), long)
						some.wire.deafen(false)
					case 2:
						some.wire.deafen(true)
						spend(t.Context(), long)
						some.wire.sever(true)
						some.wire.deafen(false)
						some.wire.sever(false)
					case 3:
						s.Down(t)
						spend(t.Context(), long/2)
						s.Restart(t)
					default:
						spend(t.Context(), long)
					}
					a.checkNoTwo(t)
				}
				a.leader(t)
				a.mu.Lock()
				defer a.mu.Unlock()
				if len(a.reigns) < 3 {
					t.Errorf("got %d reigns, want the lead to change", len(a.reigns))
				}
				t.Logf("%d reigns", len(a.reigns))
			})
		})
	}
}
