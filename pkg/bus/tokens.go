package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/resilience"
)

// The bucket of the rate limits that replicas share, and the prefix of their keys.
const (
	bucketLeases = "genesis_leases"
	tokensPrefix = "tokens."
)

// conflictPause bounds the random pause of one whose write another one was faster with.
const conflictPause = 5 * time.Millisecond

// TokenStore keeps the rate limits that replicas share in the bucket genesis_leases,
// one key `tokens.<name>` each, changed by compare and swap. It fails at once while
// the broker is away, as a [resilience.SharedRateLimit] wants it.
func (b *Bus) TokenStore() resilience.TokenStore { return tokenStore{b} }

type tokenStore struct{ b *Bus }

// Update implements [resilience.TokenStore].
func (s tokenStore) Update(ctx context.Context, name string, change func(resilience.TokenBucket) resilience.TokenBucket) error {
	op := "lease tokens of " + name
	kv, err := s.b.bucket(ctx, bucketLeases)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	key := tokensPrefix + keyToken(name)
	for {
		before, revision, err := readTokens(ctx, kv, key)
		if err != nil {
			return readError(op, err)
		}
		value, err := json.Marshal(change(before))
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		if revision == 0 {
			_, err = kv.Create(ctx, key, value)
		} else {
			_, err = kv.Update(ctx, key, value, revision)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(publishError(err), ErrExists) {
			return fmt.Errorf("%s: %w", op, publishError(err))
		}
		select {
		case <-time.After(rand.N(conflictPause)): //nolint:gosec // chance keeps two from meeting again, no more
		case <-ctx.Done():
			return fmt.Errorf("%s: others change it all the time: %w", op, context.Cause(ctx))
		}
	}
}

// readTokens reads a bucket; nobody's is the zero one at revision 0. One that cannot be
// read was not written by us, and begins anew.
func readTokens(ctx context.Context, kv jetstream.KeyValue, key string) (resilience.TokenBucket, uint64, error) {
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return resilience.TokenBucket{}, 0, nil
	}
	if err != nil {
		return resilience.TokenBucket{}, 0, err
	}
	var t resilience.TokenBucket
	if json.Unmarshal(entry.Value(), &t) == nil {
		return t, entry.Revision(), nil
	}
	return resilience.TokenBucket{}, entry.Revision(), nil
}
