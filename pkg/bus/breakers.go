package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/resilience"
)

// bucketBreakers holds the votes of the replicas, one key `<breaker>.<replica>` each,
// and the isolations by operators, `<breaker>`.
const bucketBreakers = "genesis_breakers"

// When replicas vote. A vote is good for ten seconds (see [resilience.Ballot]) and is
// repeated three times as often, as long as it says anything.
const (
	voteGood     = 10 * time.Second
	voteRepeat   = 3 * time.Second
	voteCalls    = time.Minute            // calls that are longer ago say nothing
	voteLook     = 200 * time.Millisecond // how often this replica looks at its breakers
	votePatience = time.Second            // bounds the publishing of one round
	voteKept     = time.Minute            // then the vote of a silent replica leaves the bucket
)

// ShareBreakers lets the replicas of a worker decide together about their breakers,
// until ctx ends; then it returns nil. Each publishes what it knows to the bucket
// genesis_breakers, at once when one of its breakers opens or closes again, and follows
// the majority of those that saw calls. It does its I/O off the path of the calls.
// While the broker is away each replica decides alone.
//
// It also carries out what operators isolated and released by [Bus.CommandBreaker], when
// this replica did not run or could not be reached at that time.
//
// replica names this one; no two have the same name. Breakers that are added later are
// shared, too.
func (b *Bus) ShareBreakers(ctx context.Context, breakers *resilience.Breakers, replica string) error {
	if breakers == nil || replica == "" {
		return errors.New("share breakers: there must be breakers, and a name for this replica")
	}
	ballot, err := resilience.NewBallot(resilience.BallotOptions{TTL: voteGood, CallsWithin: voteCalls})
	if err != nil {
		return fmt.Errorf("share breakers: %w", err)
	}
	v := &voter{bus: b, breakers: breakers, replica: replica, ballot: ballot, said: map[string]said{}, held: map[string]bool{}}
	b.follow(ctx, bucketBreakers, voteLook, follower{
		begin: v.begin,
		told:  v.told,
		ready: v.ready,
		lost:  v.alone,
		tick:  v.vote,
	})
	return nil
}

// A voter is one replica among those that share breakers.
type voter struct {
	bus      *Bus
	breakers *resilience.Breakers
	replica  string
	ballot   *resilience.Ballot
	said     map[string]said // by breaker: what was published last
	old      bool            // what is heard was said before this watch began
	cut      bool            // publishing does not work
	held     map[string]bool // what the bucket says is isolated
	seen     map[string]bool // the part of it that this watch told of
}

type said struct {
	vote    resilience.Vote
	at      time.Time
	callsAt time.Time // when calls were seen last
}

func (v *voter) begin() { v.old, v.seen = true, map[string]bool{} }

// told takes a vote or an isolation.
func (v *voter) told(e jetstream.KeyValueEntry) {
	if strings.Contains(e.Key(), ".") {
		v.hear(e)
		return
	}
	v.obey(e)
}

func (v *voter) ready() {
	v.old = false
	for key := range v.held {
		if !v.seen[key] { // released while nobody watched
			v.release(key)
		}
	}
}

// hear takes the vote of another replica.
func (v *voter) hear(e jetstream.KeyValueEntry) {
	if e.Operation() != jetstream.KeyValuePut || v.old && time.Since(e.Created()) >= voteGood {
		return // a replica that died, or whose clock differs: it will say so again
	}
	var vote resilience.Vote
	if err := json.Unmarshal(e.Value(), &vote); err != nil {
		v.bus.log.Debug("read a vote", "key", e.Key(), "error", err)
		return
	}
	breaker, known := v.breakers.Get(vote.Breaker)
	if !known || vote.Replica == v.replica || vote.Replica == "" {
		return
	}
	v.ballot.Cast(vote)
	breaker.Follow(v.ballot.Decide(vote.Breaker))
}

// alone forgets what others said: it cannot be known any more.
func (v *voter) alone() {
	v.ballot.Clear()
	v.breakers.Follow(v.ballot)
}

// vote looks at this replica's breakers, and publishes what is worth it.
func (v *voter) vote(ctx context.Context) {
	var due, repeated []resilience.Vote
	now := time.Now()
	for _, vote := range v.breakers.Votes(v.replica) {
		v.ballot.Cast(vote)
		switch {
		case v.changed(vote):
			due = append(due, vote)
		case v.isDue(vote, now):
			repeated = append(repeated, vote)
		}
	}
	v.breakers.Follow(v.ballot)
	due = append(due, repeated...) // after what others wait for
	if len(due) == 0 || !v.bus.Connected() {
		return
	}
	if err := v.publish(ctx, due); err != nil {
		if !v.cut && ctx.Err() == nil {
			v.bus.log.Warn("breakers are not shared: each replica decides alone", "error", err)
		}
		v.cut = true
		v.alone()
		return
	}
	if v.cut {
		v.bus.log.Info("breakers are shared again")
		v.cut = false
	}
}

// changed tells whether this replica's breaker opened or closed since it last spoke.
func (v *voter) changed(vote resilience.Vote) bool {
	return vote.Open != v.said[vote.Breaker].vote.Open
}

// isDue tells whether to publish a vote that did not change: at once the first calls
// after a silence, and repeatedly what others must not forget.
func (v *voter) isDue(vote resilience.Vote, now time.Time) bool {
	last, spoken := v.said[vote.Breaker]
	calls := vote.Calls != last.vote.Calls
	recent := calls || spoken && now.Sub(last.callsAt) < voteCalls
	switch {
	case calls && now.Sub(last.callsAt) >= voteCalls:
		return true
	case vote.Open, recent:
		return now.Sub(last.at) >= voteRepeat
	}
	return false
}

func (v *voter) publish(ctx context.Context, votes []resilience.Vote) error {
	ctx, cancel := context.WithTimeout(ctx, votePatience)
	defer cancel()
	for _, vote := range votes {
		value, err := json.Marshal(vote)
		if err != nil {
			return err
		}
		subject := "$KV." + bucketBreakers + "." + keyToken(vote.Breaker) + "." + keyToken(v.replica)
		if _, err := v.bus.js.Publish(ctx, subject, value, jetstream.WithMsgTTL(voteKept)); err != nil { // Put knows no TTL
			return publishError(err)
		}
		now, last := time.Now(), v.said[vote.Breaker]
		next := said{vote: vote, at: now, callsAt: last.callsAt}
		if vote.Calls != last.vote.Calls {
			next.callsAt = now
		}
		v.said[vote.Breaker] = next
	}
	return nil
}
