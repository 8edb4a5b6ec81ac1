package health

import (
	"time"

	"genesis/pkg/bus"
)

// A Snapshot is the whole system as one round of the monitor saw it. It holds figures
// only, no handles; whatever is judged is judged from it alone.
type Snapshot struct {
	// At is when it was taken, by the broker's clock when that was heard, so that ages do
	// not depend on this machine's.
	At time.Time
	// Elapsed is how long ago the round before it was, by a clock that does not jump; 0
	// for the first round, which knows no rates.
	Elapsed time.Duration
	Broker  Broker
	// Configured are the agents of the configuration, sorted: those that an outage of the
	// broker affects.
	Configured []string
	// WorkersKnown tells that the leases of all workers have been heard since the broker
	// could be reached. Without it agents, workers and breakers are not judged.
	WorkersKnown bool
	// The rest is empty while the broker is away: nobody can tell.
	Agents   map[string]Agent   // by name: those configured or with a queue
	Workers  map[string]Worker  // by replica
	Breakers map[string]Breaker // by provider
	Streams  map[string]Stream  // by name: those that are there, and those that should be
	// Ledger is the last verification that ended; nil before the first.
	Ledger *Ledger

	sorted *order // what Judge works out once; nil: each check does
}

// Broker is how the message bus is.
type Broker struct {
	Connected bool
	// Since is when the connection was made or lost.
	Since time.Time
	// Problem says why it cannot be used though connected; empty: it can.
	Problem string
	// Servers counts the servers of the cluster that hold streams; 1 without a cluster.
	// Offline names those of them that are away or behind for some stream, sorted.
	Servers int
	Offline []string
	// Storage and its limit in bytes, of the account; a limit of 0 or below is none.
	Storage, StorageLimit int64
}

// An Agent is one agent, its lanes together, and each.
type Agent struct {
	Lanes []Lane // the more urgent first
	// Lag is what is not settled; Redelivered how much of it was delivered before.
	Lag, Redelivered uint64
	OldestAge        time.Duration
	// Arrival and Service are smoothed rates in requests a second; below 0 they are not
	// known.
	Arrival, Service float64
	// Workers serve it right now, with Slots in all, of which InUse execute.
	Workers, Slots, InUse int
	// Requests ended within the last minute, Errors of them in a failure, as the workers
	// count them.
	Requests, Errors uint64
	// DeadLetters were made in the last minute; DeadLettersKept are there in all.
	DeadLetters, DeadLettersKept uint64
	// Timeout bounds one execution, by the configuration.
	Timeout time.Duration
	// Ways are the providers of its rungs, in order; empty names stand for a rung that is
	// never shut, such as a static text. Nil: not known.
	Ways []string
	// Problem says why its queue or a consumer cannot be read; empty: it can.
	Problem string
}

// A Lane is one of the two queues of an agent.
type Lane struct {
	Name                                bus.Lane
	Pending, InFlight, Lag, Redelivered uint64
	OldestAge                           time.Duration
}

// ErrorRate is the share of failures in the last minute, 0 without requests.
func (a *Agent) ErrorRate() float64 {
	if a.Requests == 0 {
		return 0
	}
	return float64(a.Errors) / float64(a.Requests)
}

// A Worker is one replica, by its lease.
type Worker struct {
	Version  string
	Started  time.Time
	Draining bool
	Agents   []string // sorted
	Slots    int
	InUse    int
	// Lost is when its lease ended without a farewell; zero: it is there.
	Lost time.Time
}

// A Breaker is the breaker of one provider over all workers.
type Breaker struct {
	// Open, HalfOpen and Closed count the workers that say so.
	Open, HalfOpen, Closed int
	// Isolated tells that an operator holds it open.
	Isolated bool
	// Reason is why the breaker opened, if a worker says.
	Reason string
	// Agents have a rung with the provider, sorted.
	Agents []string
}

// Shut reports whether most workers that have it hold it open.
func (b *Breaker) Shut() bool { return b.Isolated || b.Open > b.Closed+b.HalfOpen }

// A Stream is one stream.
type Stream struct {
	Missing  bool // it should be there
	Messages uint64
	Bytes    uint64
	// Limits; 0 or below is none. DiscardOld says that the oldest gives way at a limit,
	// so that being full is no trouble.
	MaxMessages, MaxBytes int64
	DiscardOld            bool
	// Leader is empty when a cluster has none for it; Clustered tells whether there is one.
	Clustered bool
	Leader    string
	// Replicas that should be there, and those that are away or behind, sorted.
	Replicas int
	Offline  []string
	// Problem says why it cannot be read; empty: it can.
	Problem string
}

// Full is how full the stream is, 0 to 1, by its tightest limit; 0 without one.
func (s *Stream) Full() float64 {
	full := 0.0
	if s.MaxMessages > 0 {
		full = float64(s.Messages) / float64(s.MaxMessages)
	}
	if s.MaxBytes > 0 {
		full = max(full, float64(s.Bytes)/float64(s.MaxBytes))
	}
	return full
}

// A Ledger is what the last verification that could be made found.
type Ledger struct {
	At      time.Time
	Checked uint64 // requests accounted for
	Missing uint64 // requests that are not
	// Agents are those with missing requests, and how many each.
	Agents map[string]uint64
	// Problem says why the last one could not be made; empty: it could. At, Missing and
	// Agents are then those of the one before it.
	Problem string
}
