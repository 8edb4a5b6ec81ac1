package resilience

import (
	"context"
	"math"
	"time"
)

// TokenStore keeps the token buckets that replicas share, one a limit.
type TokenStore interface {
	// Update replaces the bucket of that name by change of it, atomically: when
	// another replica was faster, change is called again with what it left. A
	// bucket nobody stored yet is the zero TokenBucket. Update must return when
	// ctx ends.
	Update(ctx context.Context, name string, change func(TokenBucket) TokenBucket) error
}

// TokenBucket is a rate limit that replicas share. Its zero value is full. Any
// store that can compare and swap can keep it, as JSON or otherwise.
type TokenBucket struct {
	// Tokens is how many calls could start at At.
	Tokens float64 `json:"tokens"`

	// At is when Tokens was true.
	At time.Time `json:"at"`

	// Replicas says when each replica last came.
	Replicas map[string]time.Time `json:"replicas"`
}

// lease is what one replica asks of the bucket.
type lease struct {
	replica   string
	now       time.Time
	perSecond float64
	burst     int
	want      int           // how many tokens; negative: gives so many back
	spent     int           // how many calls started by the local limit since the last lease
	forget    time.Duration // a replica that did not come for so long is gone
}

// take returns the bucket after the lease, how many tokens were granted (never
// more than wanted) and how many replicas share the bucket. b is not changed.
//
// What was spent locally is charged, up to the replica's part of a burst: while
// the store was away the bucket filled for it too, though not beyond its burst.
//
// While others share it, a replica gets at most half of what is there, rounded
// up: so the one that asks a moment before the others, or whose clock is ahead,
// does not get everything, and one alone with its demand still gets all, in a
// few leases.
func (b TokenBucket) take(l lease) (after TokenBucket, granted, replicas int) {
	after = TokenBucket{Tokens: float64(l.burst), At: l.now, Replicas: map[string]time.Time{l.replica: l.now}}
	for name, seen := range b.Replicas {
		if name != l.replica && l.now.Sub(seen) < l.forget {
			after.Replicas[name] = seen
		}
	}
	if !b.At.IsZero() {
		after.Tokens = b.Tokens
		if b.At.After(l.now) { // another clock is ahead; time does not go back
			after.At = b.At
		} else {
			after.Tokens += l.perSecond * l.now.Sub(b.At).Seconds()
		}
	}
	after.Tokens = min(after.Tokens, float64(l.burst))
	after.Tokens = max(after.Tokens-min(float64(l.spent), float64(l.burst)/float64(len(after.Replicas))), 0)
	after.Tokens = min(after.Tokens+float64(max(-l.want, 0)), float64(l.burst))
	there := after.Tokens
	if len(after.Replicas) > 1 {
		there = math.Ceil(there / 2)
	}
	granted = max(min(l.want, int(min(there, after.Tokens))), 0)
	after.Tokens -= float64(granted)
	return after, granted, len(after.Replicas)
}
