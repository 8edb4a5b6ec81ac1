package bus

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// maxBatch is the broker's limit of messages in an atomic batch.
	maxBatch = 1000
	// minBatch is where an atomic batch begins to pay: below it the fixed cost of a
	// batch is higher than that of single publishes side by side.
	minBatch = 30
)

// A committer publishes messages and waits for their confirmation. With grouping it
// commits what waits for the same stream as one atomic batch: one fsync for all, as
// databases do for their logs. It starts no goroutine: the first caller that finds
// nobody at work commits for everyone who queued up meanwhile, then hands over.
type committer struct {
	js      jetstream.JetStream
	confirm *confirmer
	group   bool

	mu     sync.Mutex
	queues map[string]*commitQueue
}

type commitQueue struct {
	mu      sync.Mutex
	leading bool
	waiting []*commitWaiter
}

type commitWaiter struct {
	msg  *nats.Msg
	lead chan struct{}     // receives when this caller has to lead
	done chan commitAnswer // receives when a leader has committed the message
}

type commitAnswer struct {
	sequence uint64
	err      error
}

func newCommitter(js jetstream.JetStream, group bool) *committer {
	return &committer{js: js, confirm: newConfirmer(js.Conn()), group: group, queues: make(map[string]*commitQueue)}
}

// publish stores msg in stream and returns its sequence. The message is not to be
// used again by the caller.
func (c *committer) publish(ctx context.Context, stream string, msg *nats.Msg) (uint64, error) {
	if !c.group {
		return c.confirm.publish(ctx, msg)
	}
	q := c.queue(stream)
	w := &commitWaiter{msg: msg, lead: make(chan struct{}, 1), done: make(chan commitAnswer, 1)}
	if !q.join(w) {
		select {
		case a := <-w.done:
			return a.sequence, a.err
		case <-w.lead:
		case <-ctx.Done():
			q.leave(w)
			return 0, context.Cause(ctx)
		}
	}
	batch := q.take(w)
	c.commit(ctx, batch)
	q.handOver()
	a := <-w.done
	return a.sequence, a.err
}

func (c *committer) queue(stream string) *commitQueue {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[stream]
	if q == nil {
		q = &commitQueue{}
		c.queues[stream] = q
	}
	return q
}

// join queues w and reports whether its caller leads.
func (q *commitQueue) join(w *commitWaiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
	if q.leading {
		return false
	}
	q.leading = true
	return true
}

// take removes what the leader commits: itself first, then those who wait longest.
func (q *commitQueue) take(leader *commitWaiter) []*commitWaiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(leader)
	n := min(len(q.waiting), maxBatch-1)
	batch := append([]*commitWaiter{leader}, q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
}

// handOver makes the longest waiting caller the leader, if there is one.
func (q *commitQueue) handOver() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.leading = false
		return
	}
	q.waiting[0].lead <- struct{}{}
}

// leave removes a caller that gave up, and passes its lead on when it just got it.
func (q *commitQueue) leave(w *commitWaiter) {
	q.mu.Lock()
	q.drop(w)
	q.mu.Unlock()
	select {
	case <-w.lead:
		q.handOver()
	default:
	}
}

func (q *commitQueue) drop(w *commitWaiter) {
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
}

// commit stores the messages of a batch and answers each waiter. The leader's context
// ends only the leader's own patience, not the others' messages.
func (c *committer) commit(ctx context.Context, batch []*commitWaiter) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	if len(batch) >= minBatch {
		first, again := splitRepeated(batch)
		if c.atomic(ctx, first) {
			batch = again
		}
	}
	// Also after a refused batch, where nothing was stored: each member then learns its own answer.
	var wg sync.WaitGroup
	for _, w := range batch {
		wg.Go(func() {
			sequence, err := c.confirm.publish(ctx, w.msg)
			w.done <- commitAnswer{sequence, err}
		})
	}
	wg.Wait()
}

// splitRepeated keeps apart the messages that expect to be the first of the same
// subjects as one before them: within a batch the broker does not compare the members
// of a pattern with each other, and would store them all.
func splitRepeated(batch []*commitWaiter) (first, again []*commitWaiter) {
	seen := make(map[string]bool, len(batch))
	for _, w := range batch {
		subjects := w.msg.Header.Get(headerExpectedSubjectFilter)
		if subjects == "" {
			subjects = w.msg.Subject
		}
		if seen[subjects] {
			again = append(again, w)
			continue
		}
		seen[subjects] = true
		first = append(first, w)
	}
	return first, again
}

// atomic commits all or nothing, and reports whether it answered the waiters.
func (c *committer) atomic(ctx context.Context, batch []*commitWaiter) bool {
	messages := make([]*nats.Msg, len(batch))
	for i, w := range batch {
		m := nats.NewMsg(w.msg.Subject)
		m.Data = w.msg.Data
		maps.Copy(m.Header, w.msg.Header)
		messages[i] = m
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, c.js, messages, jetstreamext.BatchFlowControl{AckTimeout: publishTimeout})
	if err != nil {
		return false
	}
	sequence := ack.Sequence - ack.BatchSize // the ack names the last one
	for _, w := range batch {
		sequence++
		w.done <- commitAnswer{sequence: sequence}
	}
	return true
}
