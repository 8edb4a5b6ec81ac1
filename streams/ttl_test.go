package streams

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus/bustest"
)

func TestAKeyEndsWithItsTTLAndWatchersAreTold(t *testing.T) {
	for _, bucket := range []string{"genesis_leases", "genesis_cache"} {
		t.Run(bucket, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				js := bustest.Start(t, bustest.NoListen()).JetStream(t)
				create(t, js, Options{})
				kv, err := js.KeyValue(t.Context(), bucket)
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				watch, err := kv.Watch(t.Context(), "k", jetstream.UpdatesOnly())
				if err != nil {
					t.Fatalf("watch: %v", err)
				}
				began := time.Now()
				if _, err := kv.Create(t.Context(), "k", []byte("v"), jetstream.KeyTTL(time.Hour)); err != nil {
					t.Fatalf("create: %v", err)
				}
				if e := <-watch.Updates(); e.Operation() != jetstream.KeyValuePut {
					t.Errorf("first update: got %s, want a put", e.Operation())
				}
				if e := <-watch.Updates(); e.Operation() != jetstream.KeyValuePurge {
					t.Errorf("second update: got %s, want a purge", e.Operation())
				}
				if got := time.Since(began); got < time.Hour || got > time.Hour+5*time.Second {
					t.Errorf("the key ended after %s, want 1h", got)
				}
				if _, err := kv.Get(t.Context(), "k"); !errors.Is(err, jetstream.ErrKeyNotFound) {
					t.Errorf("get: got %v, want %v", err, jetstream.ErrKeyNotFound)
				}
				if err := watch.Stop(); err != nil {
					t.Errorf("stop: %v", err)
				}
			})
		})
	}
}
