package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Leader tells who leads something. Errors: [ErrNotFound] when nobody does,
// [ErrUnavailable].
func (b *Bus) Leader(ctx context.Context, name string) (Leadership, error) {
	op := "who leads " + name
	msg, err := b.lastMessage(ctx, leasesStream, leasesSubject+leaseKey(leaderPrefix, name))
	if err != nil {
		return Leadership{}, fmt.Errorf("%s: %w", op, err)
	}
	lease, err := readLeader(msg)
	if err != nil { // what no leader wrote is nobody's
		return Leadership{}, fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	return lease.Leadership, nil
}

// FollowLeader tells who leads something until ctx ends; then it returns nil. It tells
// at once what is there, then each change and each renewal, which comes once a second
// and brings a new note, and the zero value when nobody leads or nobody can tell,
// because the broker is away. told is called once at a time and should be quick.
func (b *Bus) FollowLeader(ctx context.Context, name string, told func(Leadership)) error {
	w := &leaderWatch{bus: b, key: leaseKey(leaderPrefix, name), tell: told, heard: time.Now()}
	if !b.Connected() {
		w.nobody()
	}
	b.follow(ctx, bucketLeases, lostLook, follower{
		keys:   w.key,
		begin:  w.begin,
		told:   w.told,
		ready:  w.ready,
		lost:   w.nobody,
		silent: w.silent,
		tick:   func(context.Context) { w.giveUp() },
	})
	return nil
}

// A leaderWatch tells of one lease.
type leaderWatch struct {
	bus   *Bus
	key   string
	tell  func(Leadership)
	last  Leadership
	spoke bool      // something was told
	heard time.Time // when the watch began, or told something
	seen  bool      // it told of the lease
	sees  bool      // it told all that was there
	odd   bool      // what no leader wrote was logged
}

func (w *leaderWatch) begin() { w.seen, w.sees, w.heard = false, false, time.Now() }

func (w *leaderWatch) told(e jetstream.KeyValueEntry) {
	w.seen, w.heard = true, time.Now()
	if e.Operation() != jetstream.KeyValuePut {
		w.nobody()
		return
	}
	lease, err := decodeLeader(e.Value())
	if err != nil {
		if !w.odd {
			w.bus.log.Warn("a lease that no leader wrote is skipped", "key", w.key, "error", err)
		}
		w.odd = true
		w.nobody()
		return
	}
	w.odd = false
	w.last, w.spoke = lease.Leadership, true
	w.tell(w.last)
}

// ready says that nobody leads when the watch did not tell who does.
func (w *leaderWatch) ready() {
	w.sees = true
	if !w.seen {
		w.nobody()
	}
}

func (w *leaderWatch) nobody() {
	if w.spoke && w.last.Holder == "" {
		return // told already
	}
	w.last, w.spoke = Leadership{}, true
	w.tell(w.last)
}

// silent tells whether the watch is dead: it does not begin, or a lease is neither
// renewed nor expires.
func (w *leaderWatch) silent() bool {
	return time.Since(w.heard) >= leaseSilence && (!w.sees || w.last.Holder != "")
}

// giveUp says that nobody can tell, when no watch comes about.
func (w *leaderWatch) giveUp() {
	if !w.spoke && time.Since(w.heard) >= leaseSilence {
		w.nobody()
	}
}
