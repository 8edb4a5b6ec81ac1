package bus

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// pullHeartbeat is how often the broker says that it still holds a long pull.
	pullHeartbeat = 5 * time.Second
	// pullGrace is how long after its end a pull's last word may take to arrive.
	pullGrace = 5 * time.Second
)

// A puller asks the broker for messages of one lane, by JetStream's pull protocol.
// It exists beside the client library's Fetch because a bulkhead with two lanes has to
// take back a pull that waits, exactly: what the broker sent before it learned of
// the cancellation still arrives, and what it would have sent goes to another
// worker. It also saves a subscription for every pull.
type puller struct {
	nc      *nats.Conn
	subject string // of the pull request
	arrived func(*nats.Msg)
	ended   func(pullEnd)

	mu         sync.Mutex
	sub        *nats.Subscription
	inbox      string
	token      uint64
	missing    int // messages of the current pull still to come; 0: none outstanding
	deadline   time.Time
	cancelling bool
}

// pullEnd says why a pull brought less than it asked for; the zero value is that
// there was nothing more.
type pullEnd struct {
	pause bool  // the broker cannot serve pulls right now, and knows it
	fault error // the broker cannot serve pulls; the consumer may be gone
}

func newPuller(nc *nats.Conn, stream, consumer string, arrived func(*nats.Msg), ended func(pullEnd)) *puller {
	return &puller{
		nc: nc, subject: "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + consumer,
		arrived: arrived, ended: ended,
	}
}

// ask sends a pull request. Its messages and, when they are fewer than asked for, its
// end are reported by the callbacks.
func (p *puller) ask(n int, wait time.Duration, now time.Time) {
	p.mu.Lock()
	reply, err := p.prepare(n, wait, now)
	p.mu.Unlock()
	if err == nil {
		err = p.nc.PublishRequest(p.subject, reply, pullRequest(n, wait))
	}
	if err != nil {
		p.finish(pullEnd{fault: fmt.Errorf("ask for messages: %w", err)})
	}
}

func (p *puller) prepare(n int, wait time.Duration, now time.Time) (string, error) {
	if p.sub == nil {
		inbox := p.nc.NewInbox()
		sub, err := p.nc.Subscribe(inbox+".*", p.receive)
		if err != nil {
			return "", err
		}
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			return "", err
		}
		sub.SetClosedHandler(func(string) { p.closed(sub) })
		p.sub, p.inbox = sub, inbox
	}
	p.token++
	p.missing = n
	p.deadline = now.Add(wait + pullGrace)
	if wait >= 2*pullHeartbeat {
		p.deadline = now.Add(2*pullHeartbeat + pullGrace)
	}
	return p.inbox + "." + strconv.FormatUint(p.token, 10), nil
}

func pullRequest(n int, wait time.Duration) []byte {
	b := make([]byte, 0, 80)
	b = append(b, `{"batch":`...)
	b = strconv.AppendInt(b, int64(n), 10)
	if wait <= 0 {
		return append(b, `,"no_wait":true}`...)
	}
	b = append(b, `,"expires":`...)
	b = strconv.AppendInt(b, int64(wait), 10)
	if wait >= 2*pullHeartbeat {
		b = append(b, `,"idle_heartbeat":`...)
		b = strconv.AppendInt(b, int64(pullHeartbeat), 10)
	}
	return append(b, '}')
}

// receive runs for everything the broker sends to the inbox, one at a time.
func (p *puller) receive(msg *nats.Msg) {
	if strings.HasPrefix(msg.Reply, "$JS.ACK.") {
		p.mu.Lock()
		p.missing = max(p.missing-1, 0)
		p.mu.Unlock()
		p.arrived(msg)
		return
	}
	p.mu.Lock()
	current := p.missing > 0 && strings.HasSuffix(msg.Subject, "."+strconv.FormatUint(p.token, 10))
	status := msg.Header.Get("Status")
	if current && status == "100" {
		p.deadline = time.Now().Add(2*pullHeartbeat + pullGrace)
	}
	p.mu.Unlock()
	if !current || status == "100" {
		return
	}
	switch description := msg.Header.Get("Description"); {
	case status == "404", status == "408":
		p.finish(pullEnd{})
	case status == "409" && description != "Consumer Deleted":
		p.finish(pullEnd{pause: true}) // the broker shuts down, or another one takes over
	default:
		p.finish(pullEnd{fault: fmt.Errorf("ask for messages: the broker answered %s %s", status, description)})
	}
}

// cancel takes a waiting pull back. Its end is reported once no message of it can
// come any more.
func (p *puller) cancel() {
	p.mu.Lock()
	if p.cancelling || p.missing == 0 || p.sub == nil {
		p.mu.Unlock()
		return
	}
	p.cancelling = true
	sub := p.sub
	p.mu.Unlock()
	// The broker learns of it in order with what it sends, so that what is already on
	// its way still arrives before the subscription closes.
	if err := sub.Drain(); err != nil {
		p.closed(sub)
	}
}

// closed runs when the subscription is gone, whoever closed it.
func (p *puller) closed(sub *nats.Subscription) {
	p.mu.Lock()
	if p.sub == sub {
		p.sub = nil
	}
	p.cancelling = false
	outstanding := p.missing > 0
	p.mu.Unlock()
	if outstanding {
		p.finish(pullEnd{})
	}
}

// lost ends a pull that the broker has forgotten: it was due long ago, or the
// connection was made anew since. It returns when to look again; zero: not needed.
func (p *puller) lost(now time.Time, reconnected bool) time.Time {
	p.mu.Lock()
	deadline, outstanding := p.deadline, p.missing > 0
	p.mu.Unlock()
	switch {
	case !outstanding:
		return time.Time{}
	case reconnected || now.After(deadline):
		p.finish(pullEnd{})
		return time.Time{}
	}
	return deadline
}

func (p *puller) finish(end pullEnd) {
	p.mu.Lock()
	p.missing = 0
	p.mu.Unlock()
	p.ended(end)
}

// close gives the subscription up; messages still on their way are redelivered to
// others.
func (p *puller) close() {
	p.mu.Lock()
	sub := p.sub
	p.sub, p.missing = nil, 0
	p.mu.Unlock()
	if sub != nil && sub.IsValid() {
		_ = sub.Unsubscribe() // fails when the connection is gone, and the subscription with it
	}
}
