package bus

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// watchPatience bounds the making of a watch.
const watchPatience = 2 * time.Second

// A follower is told what is in a bucket and how it changes. Its functions are called
// one at a time; a nil one is not.
type follower struct {
	keys   string                          // those to be told of, as a pattern; empty: all
	begin  func()                          // a watch begins: all keys will be told anew
	told   func(e jetstream.KeyValueEntry) // one key: its value, or that it is gone
	ready  func()                          // all that was there when the watch began is told
	lost   func()                          // the connection is lost, or the watch
	silent func() bool                     // asked before each tick: the watch tells nothing though it should
	tick   func(ctx context.Context)       // some time has passed
}

// follow tells a follower of a bucket until ctx ends. While the broker is away it only
// ticks. After a reconnect it watches anew: the old watch may be late by many seconds,
// and does not tell what it has missed before.
func (b *Bus) follow(ctx context.Context, bucket string, every time.Duration, f follower) {
	status := b.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer b.nc.RemoveStatusListener(status)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	w := bucketWatch{bus: b, bucket: bucket, keys: f.keys}
	defer w.end()
	for {
		if w.updates == nil && b.nc.IsConnected() && w.begin(ctx) {
			call(f.begin)
		}
		select {
		case <-ctx.Done():
			return
		case e, open := <-w.updates:
			switch {
			case !open:
				w.end()
				call(f.lost)
			case e == nil:
				call(f.ready)
			default:
				f.told(e)
			}
			continue
		case s := <-status:
			w.end()
			if s != nats.CONNECTED {
				call(f.lost)
			}
			continue
		case <-ticker.C:
		}
		if f.silent != nil && w.updates != nil && f.silent() {
			w.end()
			call(f.lost)
		}
		if f.tick != nil {
			f.tick(ctx)
		}
	}
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// A bucketWatch is at most one watch of a bucket.
type bucketWatch struct {
	bus     *Bus
	bucket  string
	keys    string
	updates <-chan jetstream.KeyValueEntry // nil: there is no watch
	stop    context.CancelFunc
	failed  time.Time // when a watch could not be made; the next try comes later
}

// begin makes a watch, and says whether there is one.
func (w *bucketWatch) begin(ctx context.Context) bool {
	if time.Since(w.failed) < time.Second {
		return false
	}
	parent := ctx
	ctx, stop := context.WithCancel(ctx) // it ends the watch, too, so it must not time out
	impatient := time.AfterFunc(watchPatience, stop)
	kv, err := w.bus.bucket(ctx, w.bucket)
	if err == nil {
		var watcher jetstream.KeyWatcher
		if watcher, err = kv.Watch(ctx, cmp.Or(w.keys, jetstream.AllKeys)); err == nil {
			w.updates, w.stop = watcher.Updates(), stop
			if !impatient.Stop() {
				w.end()
			}
			return w.updates != nil
		}
	}
	impatient.Stop()
	stop()
	if w.failed.IsZero() && parent.Err() == nil {
		w.bus.log.Warn("watch a bucket", "bucket", w.bucket, "error", err)
	}
	w.failed = time.Now()
	return false
}

// end ends the watch, if any, and waits for it.
func (w *bucketWatch) end() {
	w.failed = time.Time{}
	if w.updates == nil {
		return
	}
	w.stop()
	for range w.updates { // it may be waiting to tell more
	}
	w.updates, w.stop = nil, nil
}

// entries reads what a bucket holds.
func (b *Bus) entries(ctx context.Context, bucket string) ([]jetstream.KeyValueEntry, error) {
	return b.entriesOf(ctx, bucket, jetstream.AllKeys)
}

// entriesOf reads what a bucket holds at the keys of a pattern.
func (b *Bus) entriesOf(ctx context.Context, bucket, keys string) ([]jetstream.KeyValueEntry, error) {
	op := "read bucket " + bucket
	kv, err := b.bucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	w := bucketWatch{bus: b, bucket: bucket, stop: cancel}
	watcher, err := kv.Watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, readError(op, err)
	}
	w.updates = watcher.Updates()
	defer w.end()
	var all []jetstream.KeyValueEntry
	for e := range w.updates {
		if e == nil {
			return all, nil
		}
		all = append(all, e)
	}
	return nil, fmt.Errorf("%s: %w: it was cut off", op, ErrUnavailable)
}

// keyToken makes one token of a key of any text: what a key may not hold, and the
// dot, become =XX.
func keyToken(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	if b.Len() == 0 {
		return "="
	}
	return b.String()
}
