package worker

import (
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"genesis/internal/config"
	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// longestHold bounds how long one rejection keeps an agent from fetching.
const longestHold = 5 * time.Second

// room says how many executions of an agent could begin, so that no more is fetched.
type room struct {
	// breakers are those of all rungs; nil when a rung is never shut.
	breakers []*resilience.Breaker
	// until is when to fetch again after a limit was hit, in nanoseconds since start.
	start time.Time
	until atomic.Int64
}

func (g *guards) room(a config.Agent) *room {
	r := &room{start: time.Now()}
	for _, rung := range a.Ladder {
		guard := g.byName[rung.Provider]
		if guard == nil || guard.breaker == nil {
			r.breakers = nil
			break
		}
		r.breakers = append(r.breakers, guard.breaker)
	}
	return r
}

// calls is bus.PoolOptions.Room: as many as the rung lets through that lets most.
func (r *room) calls() (int, time.Duration) {
	if hold := time.Duration(r.until.Load()) - time.Since(r.start); hold > 0 {
		return 0, hold
	}
	if r.breakers == nil {
		return -1, 0
	}
	most, soonest := 0, time.Duration(math.MaxInt64)
	for _, b := range r.breakers {
		calls, after := b.Room()
		if calls == math.MaxInt {
			return -1, 0
		}
		most, soonest = max(most, calls), min(soonest, after)
	}
	return most, soonest
}

// observe holds back for a moment when a limit of all rungs was hit: whatever would be
// fetched came back as well. Breakers say themselves when to come back, and a retry
// for which there is no budget says nothing about other requests.
func (r *room) observe(s bus.Settlement) {
	if s.Verdict != bus.VerdictRejected {
		return
	}
	rejected, ok := errors.AsType[*resilience.RejectedError](s.Err)
	if !ok || strings.HasPrefix(rejected.Cause, "breaker ") || rejected.Cause == agents.CauseBudget {
		return
	}
	r.until.Store(int64(time.Since(r.start) + min(s.Delay, longestHold)))
}
