package resilience

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// The zero [BallotOptions]' values.
const (
	defaultVoteTTL   = 10 * time.Second
	defaultVoteCalls = time.Minute
	smallestMajority = 2 // one replica is never a majority of others
)

// Vote is what one replica knows of a dependency from its own calls.
type Vote struct {
	Breaker string `json:"breaker"`
	Replica string `json:"replica"`

	// Open says that the breaker is open because of the replica's own calls, not
	// by an operator and not by votes.
	Open bool `json:"open"`

	// Calls is the running number of calls that counted. Only its changes say
	// anything: the replica sees calls.
	Calls uint64 `json:"calls"`
}

// BallotOptions are the times of a [Ballot].
type BallotOptions struct {
	// TTL is how long a vote is good without being repeated. Votes should be
	// cast three times as often, and at once on a trip. Zero: 10 s.
	TTL time.Duration

	// CallsWithin is how long ago a replica may have seen its last call to count
	// among those that saw calls. Zero: 60 s.
	CallsWithin time.Duration
}

// Ballot holds the last vote of each replica for each breaker and counts them.
// It does no I/O: whoever carries votes between replicas casts those it hears,
// this replica's own among them, and then lets the breakers follow with
// [Breakers.Follow]. Times are those of this replica's clock when it heard a
// vote, so the replicas' clocks need not agree. It is safe for concurrent use.
type Ballot struct {
	options BallotOptions

	mu    sync.Mutex
	votes map[string]map[string]heard // by breaker, by replica
}

type heard struct {
	vote    Vote
	at      time.Time
	callsAt time.Time // when Calls last changed; zero: never
}

// NewBallot returns an empty ballot, or all that is wrong with its options.
func NewBallot(o BallotOptions) (*Ballot, error) {
	setDefault(&o.TTL, defaultVoteTTL)
	setDefault(&o.CallsWithin, defaultVoteCalls)
	p := problems{policy: "ballot"}
	p.unless(o.TTL > 0 && o.TTL <= longestTime, "TTL", "%v is negative or beyond %v", o.TTL, longestTime)
	p.unless(o.CallsWithin > 0 && o.CallsWithin <= longestTime, "CallsWithin", "%v is negative or beyond %v", o.CallsWithin, longestTime)
	if err := p.err(); err != nil {
		return nil, err
	}
	return &Ballot{options: o, votes: make(map[string]map[string]heard)}, nil
}

// Cast takes a replica's vote in place of its last one. Votes of replicas that
// fell silent are forgotten on the way.
func (b *Ballot) Cast(v Vote) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.forget(now)
	replicas := b.votes[v.Breaker]
	if replicas == nil {
		replicas = make(map[string]heard)
		b.votes[v.Breaker] = replicas
	}
	last, known := replicas[v.Replica]
	h := heard{vote: v, at: now, callsAt: last.callsAt}
	if known && v.Calls != last.vote.Calls || !known && v.Calls > 0 {
		h.callsAt = now
	}
	replicas[v.Replica] = h
}

// Clear forgets every vote: the way to other replicas is cut, each decides
// alone.
func (b *Ballot) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.votes)
}

func (b *Ballot) forget(now time.Time) {
	for name, replicas := range b.votes {
		for replica, h := range replicas {
			if now.Sub(h.at) >= b.options.TTL {
				delete(replicas, replica)
			}
		}
		if len(replicas) == 0 {
			delete(b.votes, name)
		}
	}
}

// Decision is the outcome of a vote on one breaker.
type Decision struct {
	// Open says that a majority of the replicas that saw calls have opened their
	// breaker, and that they are two at least: what one replica sees may be its
	// own sickness.
	Open bool

	// For lists the replicas whose breaker is open, Against those that saw calls
	// and did not open. Both are sorted.
	For, Against []string
}

// Decide counts the votes on a breaker.
func (b *Ballot) Decide(breaker string) Decision {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var d Decision
	for replica, h := range b.votes[breaker] {
		switch {
		case now.Sub(h.at) >= b.options.TTL:
		case h.vote.Open:
			d.For = append(d.For, replica)
		case !h.callsAt.IsZero() && now.Sub(h.callsAt) < b.options.CallsWithin:
			d.Against = append(d.Against, replica)
		}
	}
	slices.SortFunc(d.For, strings.Compare)
	slices.SortFunc(d.Against, strings.Compare)
	d.Open = len(d.For) >= smallestMajority && len(d.For) > len(d.Against)
	return d
}

// Vote returns what this replica would tell the others.
func (b *Breaker) Vote(replica string) Vote {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Vote{
		Breaker: b.options.Name,
		Replica: replica,
		Open:    b.phase == StateOpen && !b.voted && time.Now().Before(b.probeAt),
		Calls:   b.successes.Load() + b.failures.Load(),
	}
}

// Follow opens a closed breaker when d has become a decision to open. It then
// recovers like any other, by probes of its own: a decision that stands does not
// open it again, one that is taken anew does. It never closes a breaker: what
// this replica sees itself counts for it. An isolated breaker takes no notice.
func (b *Breaker) Follow(d Decision) {
	b.mu.Lock()
	opened := d.Open && !b.majority && b.isolated.IsZero()
	b.majority = d.Open
	m := b.machine.Load()
	b.mu.Unlock()
	if opened {
		b.replace(m, StateClosed, tripVotes)
		b.events.flush(b.options.Observer)
	}
}

// Votes returns this replica's vote on every breaker.
func (r *Breakers) Votes(replica string) []Vote {
	all := r.All()
	votes := make([]Vote, len(all))
	for i, b := range all {
		votes[i] = b.Vote(replica)
	}
	return votes
}

// Follow lets every breaker follow the ballot. Call it after each vote heard,
// and about once a second.
func (r *Breakers) Follow(ballot *Ballot) {
	for _, b := range r.All() {
		b.Follow(ballot.Decide(b.Name()))
	}
}
