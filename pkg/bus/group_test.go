package bus

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Members of one batch that want to be the first under one id are not stored twice,
// whatever lane they go to, and do not spoil the batch for the others.
func TestABatchStoresOneIDOnce(t *testing.T) {
	b := resultsBus(t)
	_, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: RequestStream("a"), Subjects: []string{"genesis.requests.a.*.*"}, Retention: jetstream.WorkQueuePolicy, AllowAtomicPublish: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newCommitter(b.js, true)
	batch := make([]*commitWaiter, 100)
	for i := range batch {
		e := Envelope{Agent: "a", Lane: LaneInteractive, ID: fmt.Sprint("x", i), Request: Request{Prompt: "hi"}}
		if i%10 == 7 {
			e.ID, e.Lane = "same", Lanes()[i/10%2]
		}
		msg, err := e.message(true)
		if err != nil {
			t.Fatal(err)
		}
		batch[i] = &commitWaiter{msg: msg, done: make(chan commitAnswer, 1)}
	}
	c.commit(t.Context(), batch)
	accepted := 0
	for i, w := range batch {
		a := <-w.done
		switch {
		case i%10 != 7 && a.err != nil:
			t.Errorf("member %d: got %v, want success", i, a.err)
		case i%10 == 7 && a.err == nil:
			accepted++
		case i%10 == 7 && !errors.Is(publishError(a.err), ErrExists):
			t.Errorf("member %d: got %v, want that it exists", i, a.err)
		}
	}
	s, err := b.js.Stream(t.Context(), RequestStream("a"))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; accepted != 1 || n != 91 {
		t.Errorf("accepted %d of ten with one id, and stored %d messages; want 1 and 91", accepted, n)
	}
}

// A batch that the broker refuses is sent one by one, and the sequences are right.
func TestARefusedBatchIsSentOneByOne(t *testing.T) {
	b := resultsBus(t) // its stream takes no atomic batches
	c := newCommitter(b.js, true)
	batch := make([]*commitWaiter, minBatch)
	for i := range batch {
		batch[i] = &commitWaiter{msg: nats.NewMsg(ResultSubject("a", fmt.Sprint("x", i))), done: make(chan commitAnswer, 1)}
	}
	c.commit(t.Context(), batch)
	seen := map[uint64]bool{}
	for i, w := range batch {
		a := <-w.done
		if a.err != nil || seen[a.sequence] {
			t.Errorf("member %d: got %d, %v, want a sequence of its own", i, a.sequence, a.err)
		}
		seen[a.sequence] = true
	}
}
