package bus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A lease is a key of the bucket genesis_leases that goes away by itself unless it is
// renewed. The broker counts its time from when it stored it.
const (
	leaseTTL   = 3 * time.Second // whole seconds: the broker knows no others
	leaseRenew = time.Second
	leaseRetry = 250 * time.Millisecond // after a renewal that failed
	// leasePatience bounds one write, so that the next one comes in time.
	leasePatience = time.Second
	// farewellKept is how long a follower can see that a lease was given up.
	farewellKept = time.Minute
)

const (
	leasesStream     = "KV_" + bucketLeases
	leasesSubject    = "$KV." + bucketLeases + "."
	headerOperation  = "KV-Operation" // as the client library writes it into a bucket
	operationDeleted = "DEL"
)

// A leaseWrite is one value of a lease, or its end.
type leaseWrite struct {
	key   string
	value []byte
	// expected is the sequence that the key must have, 0 for none; nil: whatever it has.
	expected *uint64
	farewell bool
}

// writeLease stores a lease for leaseTTL and returns its sequence, or gives it up.
// Errors: [ErrExists] when the key has another sequence, [ErrUnavailable].
//
// The bucket's own Update drops the time to live, and Delete leaves its marker for ever,
// so this publishes.
func (b *Bus) writeLease(ctx context.Context, w leaseWrite) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, leasePatience)
	defer cancel()
	msg := &nats.Msg{Subject: leasesSubject + w.key, Data: w.value, Header: make(nats.Header, 3)}
	ttl := leaseTTL
	if w.farewell {
		ttl = farewellKept
		msg.Header[headerOperation] = []string{operationDeleted}
	}
	msg.Header[jetstream.MsgTTLHeader] = []string{ttl.String()}
	if w.expected != nil {
		expectSequence(msg.Header, *w.expected)
	}
	sequence, err := b.commit.confirm.publish(ctx, msg)
	if err != nil {
		return 0, fmt.Errorf("write lease %s: %w", w.key, publishError(err))
	}
	return sequence, nil
}

// isLease tells a lease from what else may stand at its key: the marker of one that
// ended, or a value that somebody put there without a time to live.
func isLease(h nats.Header) bool {
	return h.Get(headerOperation) == "" && h.Get(jetstream.MarkerReasonHeader) == "" && h.Get(jetstream.MsgTTLHeader) != ""
}

// leaseKey is the key of a lease.
func leaseKey(prefix, name string) string { return prefix + keyToken(name) }

// isKeyOf tells whether a lease of that name belongs at a key.
func isKeyOf(key, prefix, name string) bool {
	return name != "" && strings.HasPrefix(key, prefix) && key == leaseKey(prefix, name)
}
