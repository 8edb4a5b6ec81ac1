package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxUnconfirmed bounds the messages that wait for their confirmation.
	maxUnconfirmed = 1 << 16
	// leaderless is how often a publish is repeated that no stream answered at once,
	// and how long after: a new leader may just be elected.
	leaderlessTries = 3
	leaderlessPause = 250 * time.Millisecond
)

// confirmer publishes messages and waits for the broker's confirmations, which all
// arrive at one inbox. The client library does the same; this does it with a third of
// the allocations, and a request has two publishes on its way.
type confirmer struct {
	nc    *nats.Conn
	limit int // how many may wait

	mu      sync.Mutex
	sub     *nats.Subscription
	inbox   string // with a dot at its end
	next    uint64
	waiting map[string]*confirmation
	room    sync.Cond // signalled when fewer wait than may
}

// A confirmation is what one publish waits for.
type confirmation struct {
	token string
	done  chan confirmed
}

type confirmed struct {
	sequence uint64
	err      error
}

func newConfirmer(nc *nats.Conn) *confirmer {
	c := &confirmer{nc: nc, limit: maxUnconfirmed, waiting: make(map[string]*confirmation)}
	c.room.L = &c.mu
	return c
}

// publish stores msg and returns its sequence, at most publishTimeout later.
func (c *confirmer) publish(ctx context.Context, msg *nats.Msg) (uint64, error) {
	for try := 1; ; try++ {
		w, err := c.send(msg)
		if err != nil {
			return 0, err
		}
		sequence, err := c.await(ctx, w)
		if err != errLeaderless || try == leaderlessTries { //nolint:errorlint // it is never wrapped
			return sequence, err
		}
		select {
		case <-time.After(leaderlessPause):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// errDeduplicated: the broker confirmed the message but did not store it, because it
// took one with the same Nats-Msg-Id a short time ago.
var errDeduplicated = fmt.Errorf("%w: a message with the same Nats-Msg-Id was stored a moment ago", ErrExists)

// errLeaderless: nobody takes messages for the subject, just now or at all.
var errLeaderless = jetstream.ErrNoStreamResponse

// send publishes msg and registers who waits for its confirmation. It blocks while
// too many wait.
func (c *confirmer) send(msg *nats.Msg) (*confirmation, error) {
	w := &confirmation{done: make(chan confirmed, 1)}
	c.mu.Lock()
	if err := c.listen(); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	for len(c.waiting) >= c.limit {
		c.room.Wait()
	}
	c.next++
	w.token = strconv.FormatUint(c.next, 36)
	c.waiting[w.token] = w
	msg.Reply = c.inbox + w.token
	c.mu.Unlock()
	if err := c.nc.PublishMsg(msg); err != nil {
		c.take(w.token)
		return nil, err
	}
	return w, nil
}

// listen subscribes to the inbox, once. The mutex is held.
func (c *confirmer) listen() error {
	if c.sub != nil {
		return nil
	}
	inbox := c.nc.NewInbox() + "."
	sub, err := c.nc.Subscribe(inbox+"*", c.receive)
	if err != nil {
		return err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	c.sub, c.inbox = sub, inbox
	return nil
}

// await waits for a confirmation.
func (c *confirmer) await(ctx context.Context, w *confirmation) (uint64, error) {
	timer := time.NewTimer(publishTimeout)
	defer timer.Stop()
	select {
	case a := <-w.done:
		return a.sequence, a.err
	case <-timer.C:
		c.take(w.token)
		return 0, nats.ErrTimeout
	case <-ctx.Done():
		c.take(w.token)
		return 0, context.Cause(ctx)
	}
}

// receive runs for each confirmation.
func (c *confirmer) receive(msg *nats.Msg) {
	w := c.take(msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:])
	if w == nil {
		return // nobody waits any more
	}
	var a confirmed
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		a.err = errLeaderless
	} else {
		a.sequence, a.err = readConfirmation(msg.Data)
	}
	w.done <- a
}

func (c *confirmer) take(token string) *confirmation {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waiting[token]
	delete(c.waiting, token)
	if len(c.waiting) < c.limit {
		c.room.Signal() // each time: who is woken may not run before the next one ends
	}
	return w
}

// lost ends all waits: what the broker confirmed on a connection that broke is not
// sent again.
func (c *confirmer) lost() {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = make(map[string]*confirmation)
	c.room.Broadcast()
	c.mu.Unlock()
	for _, w := range waiting {
		w.done <- confirmed{err: nats.ErrDisconnected}
	}
}

// readConfirmation reads a PubAck. The usual one is short and regular, and is read
// without the help of encoding/json.
func readConfirmation(data []byte) (uint64, error) {
	if i := bytes.Index(data, []byte(`"seq":`)); i > 0 && !bytes.Contains(data, []byte(`"error"`)) && !bytes.Contains(data, []byte(`"duplicate"`)) {
		var sequence uint64
		for _, c := range data[i+len(`"seq":`):] {
			if c < '0' || c > '9' {
				break
			}
			sequence = 10*sequence + uint64(c-'0')
		}
		if sequence > 0 {
			return sequence, nil
		}
	}
	var answer struct {
		Error     *jetstream.APIError `json:"error"`
		Stream    string              `json:"stream"`
		Sequence  uint64              `json:"seq"`
		Duplicate bool                `json:"duplicate"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Error == nil && answer.Stream == "" {
		return 0, jetstream.ErrInvalidJSAck
	}
	switch {
	case answer.Error != nil:
		return 0, answer.Error
	case answer.Duplicate:
		return answer.Sequence, errDeduplicated
	}
	return answer.Sequence, nil
}
