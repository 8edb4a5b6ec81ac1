package bus

import (
	"context"
	"fmt"
	"reflect"
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
	w := &leaderWatch{bus: b, key: leaseKey(leaderPrefix, name), tell: told}
	if !b.Connected() {
		w.nobody()
	}
	b.follow(ctx, bucketLeases, lostLook, follower{
		keys:   w.key,
		begin:  func() { w.look = false },
		told:   w.told,
		ready:  w.ready,
		lost:   w.nobody,
		silent: w.silent,
	})
	return nil
}

// A leaderWatch tells of one lease.
type leaderWatch struct {
	bus   *Bus
	key   string
	tell  func(Leadership)
	last  Leadership
	first bool      // something was told
	heard time.Time // when the lease was renewed
	look  bool      // this watch told of it
	odd   bool      // what no leader wrote was logged
}

func (w *leaderWatch) told(e jetstream.KeyValueEntry) {
	w.look = true
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
	w.heard, w.last, w.first = time.Now(), lease.Leadership, true
	w.tell(w.last)
}

// ready says that nobody leads when the watch did not tell who does.
func (w *leaderWatch) ready() {
	if !w.look {
		w.nobody()
	}
}

func (w *leaderWatch) nobody() {
	if w.first && reflect.DeepEqual(w.last, Leadership{}) {
		return // told already
	}
	w.last, w.first = Leadership{}, true
	w.tell(w.last)
}

// silent tells whether the watch is dead: a lease is renewed, or it expires.
func (w *leaderWatch) silent() bool {
	return w.last.Holder != "" && time.Since(w.heard) >= leaseSilence
}
