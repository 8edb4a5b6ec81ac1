package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// CommandBreaker sends one of the commands about a breaker to every worker, gathers
// their answers as [Bus.Ask] does, and remembers an isolation until it ends, so that
// workers that start later or cannot be reached now follow. With an error that comes
// beside answers those workers did it, and the others will not hear of it.
func (b *Bus) CommandBreaker(ctx context.Context, verb string, c BreakerCommand, wait time.Duration) ([]Reply, error) {
	replies, err := b.Ask(ctx, ComponentWorker, verb, c, wait)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if keepErr := b.keepIsolation(ctx, verb, c); keepErr != nil {
		return replies, errors.Join(err, fmt.Errorf("%s %s: workers that start later will not know: %w", verb, c.Name, keepErr))
	}
	return replies, err
}

func (b *Bus) keepIsolation(ctx context.Context, verb string, c BreakerCommand) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	kv, err := b.bucket(ctx, bucketBreakers)
	if err != nil {
		return err
	}
	key := keyToken(c.Name)
	if verb == CommandBreakerIsolate {
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		_, err = kv.Put(ctx, key, value)
		return publishError(err)
	}
	if _, err := kv.Get(ctx, key); errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	return publishError(kv.Delete(ctx, key))
}

// obey isolates or releases a breaker as the bucket says.
func (v *voter) obey(e jetstream.KeyValueEntry) {
	key := e.Key()
	if e.Operation() != jetstream.KeyValuePut {
		v.release(key)
		return
	}
	v.seen[key] = true
	v.held[key] = true
	for _, breaker := range v.breakers.All() {
		if keyToken(breaker.Name()) == key {
			breaker.Isolate() // once more, mostly
		}
	}
}

func (v *voter) release(key string) {
	delete(v.held, key)
	for _, breaker := range v.breakers.All() {
		if keyToken(breaker.Name()) == key {
			breaker.Release()
		}
	}
}
