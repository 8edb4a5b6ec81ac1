package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// When a worker whose lease expired is lost. Together with leaseTTL it stays below five
// seconds.
const (
	lostLook = 250 * time.Millisecond
	// lostGrace is how long a worker may take to renew a lease that expired because nobody
	// could be asked to renew it, as while a stream had no leader.
	lostGrace = 1250 * time.Millisecond
	// outageGrace is the same after the broker was away, when all come back at once.
	outageGrace = 5 * time.Second
	// leaseSilence is how long a watch may tell nothing of leases that are renewed each
	// second; then it is made anew.
	leaseSilence = leaseTTL + leaseRenew
)

// A WorkerFollower is told of the workers. Its functions are called one at a time and
// should be quick; a nil one is not called.
type WorkerFollower struct {
	Begin func()                  // a look begins: all who are there will be told
	Here  func(lease WorkerLease) // a worker is there; at each renewal, once a second
	Left  func(name string)       // a worker ended and said so
	Lost  func(name string)       // a worker is gone without a word
	Ready func()                  // all who were there when the look began are told
	Blind func()                  // the broker cannot be reached: what was told may be old
}

// FollowWorkers tells f of the workers until ctx ends; then it returns nil. One that is
// lost is noticed within five seconds. It survives outages of the broker: then it is
// blind, and tells afterwards what has changed meanwhile. Who renews the lease within
// five seconds after it is not lost, so that an outage of the broker loses nobody.
func (b *Bus) FollowWorkers(ctx context.Context, f WorkerFollower) error {
	w := &workerWatch{bus: b, f: f, known: map[string]*knownWorker{}}
	b.follow(ctx, bucketLeases, lostLook, follower{
		keys:   workerPrefix + "*",
		begin:  w.begin,
		told:   w.told,
		ready:  w.ready,
		lost:   w.blind,
		silent: w.silent,
		tick:   func(context.Context) { w.judge(time.Now()) },
	})
	return nil
}

// A workerWatch tells a follower what it sees in the bucket.
type workerWatch struct {
	bus   *Bus
	f     WorkerFollower
	known map[string]*knownWorker // by key
	odd   map[string]bool         // keys that this look cannot read; that was logged
	look  int                     // counts them
	looks bool                    // a look began, and did not end
	sees  bool                    // it is ready
	heard time.Time               // when the watch told something
	grace time.Time               // nobody is lost before
}

type knownWorker struct {
	name    string
	look    int       // the one that told of it last
	missing time.Time // since then there is no lease; zero: there is
}

func (w *workerWatch) begin() {
	w.look++
	w.looks, w.sees = true, false
	w.odd = map[string]bool{}
	w.heard = time.Now()
	call(w.f.Begin)
}

func (w *workerWatch) told(e jetstream.KeyValueEntry) {
	w.heard = time.Now()
	k := w.known[e.Key()]
	switch {
	case e.Operation() == jetstream.KeyValuePut:
		w.here(e)
	case k == nil:
	case e.Operation() == jetstream.KeyValueDelete:
		delete(w.known, e.Key())
		if w.f.Left != nil {
			w.f.Left(k.name)
		}
	case k.missing.IsZero(): // it expired
		k.missing = w.heard
	}
}

func (w *workerWatch) here(e jetstream.KeyValueEntry) {
	lease, err := readWorkerLease(e)
	if err != nil {
		if !w.odd[e.Key()] {
			w.odd[e.Key()] = true
			w.bus.log.Warn("a lease that no worker wrote is skipped", "key", e.Key(), "error", err)
		}
		return
	}
	w.known[e.Key()] = &knownWorker{name: lease.Name, look: w.look}
	if w.f.Here != nil {
		w.f.Here(lease)
	}
}

func (w *workerWatch) ready() {
	now := time.Now()
	for _, k := range w.known {
		if k.look != w.look && k.missing.IsZero() {
			k.missing = now
		}
	}
	w.sees, w.grace = true, now.Add(outageGrace)
	call(w.f.Ready)
}

func (w *workerWatch) blind() {
	if w.looks {
		call(w.f.Blind)
	}
	w.looks, w.sees = false, false
}

// silent tells whether the watch is dead: it does not begin, or workers neither renew
// their leases nor lose them.
func (w *workerWatch) silent() bool {
	if time.Since(w.heard) < leaseSilence {
		return false
	}
	if !w.sees {
		return true
	}
	for _, k := range w.known {
		if k.missing.IsZero() {
			return true
		}
	}
	return false
}

// judge tells who is lost.
func (w *workerWatch) judge(now time.Time) {
	if !w.sees || now.Before(w.grace) {
		return
	}
	for key, k := range w.known {
		if !k.missing.IsZero() && now.Sub(k.missing) >= lostGrace {
			delete(w.known, key)
			if w.f.Lost != nil {
				w.f.Lost(k.name)
			}
		}
	}
}
