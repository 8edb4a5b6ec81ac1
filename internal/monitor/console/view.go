package console

import "time"

// A State is how something is, in the words of the health events. Any other text,
// the empty one included, reads as not known.
type State string

// The states, the better first.
const (
	Healthy   State = "healthy"
	Degraded  State = "degraded"
	Unhealthy State = "unhealthy"
)

// A View is all that the page shows, as it was at one moment. Whoever makes it does not
// change it afterwards: it may be read later than it was asked for. Lists may come in
// any order. Texts may hold anything; they are cleaned, cut and escaped when rendered.
// A zero time is one that is not known. Ages are counted up to the moment of rendering,
// so that a View that nobody renews is seen to grow old.
type View struct {
	Status  State     // of the whole
	Message string    // says why, in a sentence
	Since   time.Time // since when the status is what it is

	Broker  Broker
	Monitor Monitor
	Round   Round

	Agents   []Agent
	Breakers []Breaker
	Workers  []Worker
	Streams  []Stream
	// DeadLetters are grouped by fingerprint. The 50 with the latest Last are shown.
	DeadLetters []DeadLetters
	// Events are changes of state. The 50 latest are shown.
	Events []Event
	// Watched is since when changes would have been seen; it explains why there are none.
	Watched time.Time
}

// Broker is the message bus, as this monitor sees it.
type Broker struct {
	Connected bool
	Since     time.Time // when it was connected or lost
	Problem   string    // why it cannot be used though connected; empty: it can
	Server    string    // its name or address
}

// Monitor is the one that serves the page, and who leads.
type Monitor struct {
	Name    string
	Leading bool      // this one
	Leader  string    // the holder of the lead; empty: nobody
	Since   time.Time // when it took the lead
}

// Round is the last look at the system.
type Round struct {
	Last     time.Time     // zero: none yet
	Interval time.Duration // between two of them
	Stale    bool          // the last is older than it should be
}

// An Agent is one agent, its lanes together. A negative rate, share or duration is one
// that is not known.
type Agent struct {
	Name   string
	State  State
	Reason string    // why it is not healthy
	Since  time.Time // since when it is in its state

	Lanes     []Lane // the more urgent first
	Lag       uint64
	OldestAge time.Duration
	Arrival   float64       // requests a second
	Service   float64       // requests a second
	Drain     time.Duration // until the lag is gone at these rates; math.MaxInt64: never
	Recovery  time.Time     // when it should be healthy again

	Slots, InUse, Workers int
	ErrorRate             float64 // share of failures among what ended in the last minute, 0 to 1
	DeadLetters           uint64  // kept now

	// History is its lag at the end of each of the last rounds, the oldest first. The last
	// 100 are shown.
	History []uint64
}

// A Lane is one of the two queues of an agent.
type Lane struct {
	Name      string
	Lag       uint64
	OldestAge time.Duration
}

// A Breaker is the breaker of one provider over all workers, which it counts.
type Breaker struct {
	Provider               string
	Open, HalfOpen, Closed int
	Isolated               bool // an operator holds it open
	Reason                 string
	Agents                 []string // with a rung that needs it
}

// A Worker is one replica.
type Worker struct {
	Name, Version string
	Started       time.Time
	Agents        []string
	Slots, InUse  int
	Draining      bool
	Lost          time.Time // when it was missed without a farewell; zero: it is there
}

// DeadLetters are those with one cause.
type DeadLetters struct {
	Fingerprint   string
	Agent, Reason string
	Error         string // of the last one
	Count         uint64
	First, Last   time.Time
}

// A Stream is one stream of the broker.
type Stream struct {
	Name            string
	State           State
	Reason          string // why it is not healthy
	Messages, Bytes uint64
	Full            float64  // by its tightest limit, 0 to 1; negative: it has none
	Offline         []string // replicas that are away or behind
}

// An Event is one change of state.
type Event struct {
	Time            time.Time
	Component       string // KIND/NAME
	State, Previous State
	Reason          string
}
