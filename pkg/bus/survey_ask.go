package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// askWidth is how many questions of a volley may wait for their answers. The broker
// works on few of them at once; the others save it and us a wake-up each.
const askWidth = 64

// A volley asks the broker many questions through one inbox. The client library's
// requests would do the same, with a channel, a timer and a goroutine for each, which
// costs more than most answers.
type volley struct {
	bus     *Bus
	sub     *nats.Subscription
	inbox   string // with a dot at its end
	answers chan *nats.Msg
	asked   []question
	next    int // the first that was not sent
	open    int // sent and not answered
}

// A question is one of a volley. answer is called once, unless the volley ends early.
type question struct {
	subject string
	data    []byte
	answer  func(*nats.Msg)
}

func (b *Bus) newVolley() (*volley, error) {
	v := &volley{bus: b, inbox: b.nc.NewInbox() + ".", answers: make(chan *nats.Msg, 2*askWidth)}
	var err error
	if v.sub, err = b.nc.ChanSubscribe(v.inbox+"*", v.answers); err != nil {
		return nil, readError("ask the broker", err)
	}
	return v, nil
}

// ask adds a question; also an answer may do so.
func (v *volley) ask(subject string, data []byte, answer func(*nats.Msg)) {
	v.asked = append(v.asked, question{subject, data, answer})
}

// run sends the questions and hands each answer to who asked, one at a time, until all
// are answered. Errors: [ErrUnavailable] when ctx ends before.
func (v *volley) run(ctx context.Context) error {
	for {
		for v.next < len(v.asked) && v.open < askWidth {
			q := &v.asked[v.next]
			if err := v.bus.nc.PublishRequest(q.subject, v.inbox+strconv.Itoa(v.next), q.data); err != nil {
				return readError("ask the broker", err)
			}
			v.next++
			v.open++
		}
		if v.open == 0 {
			return nil
		}
		select {
		case msg := <-v.answers:
			v.hand(msg)
		case <-ctx.Done():
			return fmt.Errorf("ask the broker: %w: %d of %d questions were not answered: %w",
				ErrUnavailable, len(v.asked)-v.next+v.open, len(v.asked), context.Cause(ctx))
		}
	}
}

// hand gives an answer to who asked.
func (v *volley) hand(msg *nats.Msg) {
	i, err := strconv.Atoi(strings.TrimPrefix(msg.Subject, v.inbox))
	if err != nil || i >= len(v.asked) || v.asked[i].answer == nil {
		return
	}
	answer := v.asked[i].answer
	v.asked[i] = question{}
	v.open--
	answer(msg)
}

func (v *volley) close() {
	if err := v.sub.Unsubscribe(); err != nil {
		v.bus.log.Debug("close the inbox of a volley", "error", err)
	}
}

// apiAnswer is the part that all answers of the broker's API share.
type apiAnswer struct {
	Error *jetstream.APIError `json:"error"`
}

func (a *apiAnswer) failure() error {
	if a.Error == nil {
		return nil
	}
	return a.Error
}

// readAnswer decodes an answer of the broker's API, quickly if it can. Errors:
// [ErrUnavailable].
func readAnswer[T any, P interface {
	*T
	scan(t *jsonText)
	failure() error
}](msg *nats.Msg,
) (T, error) {
	var answer T
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		return answer, readError("ask the broker", jetstream.ErrJetStreamNotEnabled)
	}
	text := jsonText{left: msg.Data}
	P(&answer).scan(&text)
	var err error
	if text.bad || text.next() != 0 {
		answer = *new(T)
		err = json.Unmarshal(msg.Data, &answer)
	}
	if err == nil {
		err = P(&answer).failure()
	}
	if err != nil {
		return answer, readError("ask the broker", err)
	}
	return answer, nil
}
