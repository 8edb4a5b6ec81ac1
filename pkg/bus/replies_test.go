package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

func newReplies(t testing.TB, b *bus.Bus, name string) *bus.Replies {
	t.Helper()
	r, err := b.NewReplies(name)
	if err != nil {
		t.Fatalf("new replies: %v", err)
	}
	t.Cleanup(r.Close)
	return r
}

// waits waits for a result, at most until limit has passed.
func waits(t testing.TB, w *bus.Waiter, hinted bool, limit time.Duration) (bus.StoredResult, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return w.Result(ctx, hinted)
}

func TestAHintCarriesTheResultOfEveryOutcome(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		replies := newReplies(t, b, "gw1")
		run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			switch j.ID {
			case "permanent":
				return bus.Answer{}, resilience.Permanent(errors.New("no"))
			case "panic":
				panic("no")
			}
			return answer(ctx, j)
		}})
		for _, tt := range []struct {
			id       string
			deadline time.Time
			code     bus.Code
		}{
			{"success", time.Time{}, ""},
			{"permanent", time.Time{}, bus.CodePermanent},
			{"panic", time.Time{}, bus.CodeInternal},
			{"expired", time.Now().Add(-time.Hour), bus.CodeExpired},
		} {
			w := replies.Expect("a", tt.id)
			began := time.Now()
			publish(t, b, bus.Envelope{Agent: "a", ID: tt.id, Deadline: tt.deadline, ReplyTo: replies.Subject(tt.id)})
			got, err := waits(t, w, true, time.Minute)
			if err != nil || (got.Error == nil) != (tt.code == "") || got.Error != nil && got.Error.Code != tt.code {
				t.Errorf("result of %s: got %s, %v, want code %q", tt.id, got.Payload, err, tt.code)
			}
			if took := time.Since(began); took > time.Second { // a look comes after seconds only
				t.Errorf("the hint of %s took %s", tt.id, took)
			}
			if stored := result(t, b, "a", tt.id); string(stored.Payload) != string(got.Payload) {
				t.Errorf("hint of %s: got %s, stored is %s", tt.id, got.Payload, stored.Payload)
			}
			w.Close()
		}
		if n := replies.Waiting(); n != 0 {
			t.Errorf("waiting: got %d, want none", n)
		}
	})
}

func TestALostHintIsFoundByLooking(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		replies := newReplies(t, b, "gw1")
		run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
		for i, hinted := range []bool{true, false} {
			id := fmt.Sprint("x", i)
			w := replies.Expect("a", id)
			began := time.Now()
			publish(t, b, bus.Envelope{Agent: "a", ID: id}) // without the reply subject
			got, err := waits(t, w, hinted, time.Minute)
			took, limit := time.Since(began), map[bool]time.Duration{true: 8 * time.Second, false: time.Second}[hinted]
			if err != nil || !got.Success || took > limit {
				t.Errorf("result with hinted=%v: got %s, %v after %s, want it within %s", hinted, got.Payload, err, took, limit)
			}
			w.Close()
		}
	})
}

func TestAWaiterLooksOnceMoreAtTheEnd(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		replies := newReplies(t, b, "gw1")
		w := replies.Expect("a", "x")
		defer w.Close()
		if _, err := waits(t, w, true, time.Second); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("without a result: got %v, want not found", err)
		}
		publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
		p.settlements(t, 1)
		if got, err := waits(t, w, true, 0); err != nil || !got.Success {
			t.Errorf("with an ended context: got %s, %v, want the result", got.Payload, err)
		}
	})
}

func TestWaitersOfOneIDAreAllWokenAndNoOthers(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a", "b")
		replies, other := newReplies(t, b, "gw1"), newReplies(t, b, "gw2")
		run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
		first, second := replies.Expect("a", "x"), replies.Expect("a", "x")
		foreign, elsewhere := replies.Expect("b", "x"), other.Expect("a", "x")
		publish(t, b, bus.Envelope{Agent: "a", ID: "x", ReplyTo: replies.Subject("x")})
		began := time.Now()
		for i, w := range []*bus.Waiter{first, second} {
			if got, err := waits(t, w, true, time.Minute); err != nil || got.Agent != "a" || time.Since(began) > time.Second {
				t.Errorf("waiter %d: got %s, %v after %s", i, got.Payload, err, time.Since(began))
			}
			w.Close()
		}
		if _, err := waits(t, foreign, true, time.Minute); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("the waiter of another agent: got %v, want not found", err)
		}
		if got, err := waits(t, elsewhere, false, time.Minute); err != nil || !got.Success { // it looks for itself
			t.Errorf("the waiter of another replica: got %s, %v, want the result", got.Payload, err)
		}
		foreign.Close()
		foreign.Close() // twice is fine
		if n := replies.Waiting(); n != 0 {
			t.Errorf("waiting: got %d, want none", n)
		}
	})
}

func TestNonsenseOnTheReplySubjectWakesNobody(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		replies := newReplies(t, b, "gw1")
		w := replies.Expect("a", "x")
		defer w.Close()
		for _, payload := range []string{"", "nonsense", `{"id":"y","agent":"a"}`, `{"id":"x","agent":"b"}`, `[]`} {
			if err := b.Conn().Publish(replies.Subject("x"), []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := waits(t, w, true, time.Second); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("result: got %s, %v, want not found", got.Payload, err)
		}
	})
	b := connect(t, bustest.Start(t))
	for _, name := range []string{"", "a.b", "*", ">", "a b"} {
		if _, err := b.NewReplies(name); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("replies called %q: got %v, want invalid", name, err)
		}
	}
}

// A worker is not to be made to publish anywhere else.
func TestAForbiddenReplySubjectIsIgnored(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
	forbidden := []string{"genesis.requests.a", "genesis.control.worker.cancel", "other.subject", "_INBOX.>", "$JS.API.INFO"}
	seen, err := b.Conn().SubscribeSync("other.>")
	if err != nil {
		t.Fatal(err)
	}
	for i, subject := range forbidden {
		send(t, b, "genesis.requests.a", `{"prompt":"hi"}`, "Genesis-Reply-To", subject)
		send(t, b, "genesis.requests.a", `nonsense`, "Genesis-Reply-To", subject)
		for _, s := range p.settlements(t, 2*i+2) {
			result(t, b, "a", s.Job.ID)
		}
	}
	if msg, err := seen.NextMsg(50 * time.Millisecond); err == nil {
		t.Errorf("got a message on %s: %s", msg.Subject, msg.Data)
	}
	if n := len(p.settlements(t, 2*len(forbidden))); n != 2*len(forbidden) {
		t.Errorf("settled %d messages, want %d: a hint became a request", n, 2*len(forbidden))
	}
}

func TestFiveThousandWaitersShareOneSubscription(t *testing.T) {
	const n, answered = 5000, 200
	b := connect(t, bustest.Start(t), "a")
	before := b.Conn().NumSubscriptions()
	replies := newReplies(t, b, "gw1")
	waiters := make([]*bus.Waiter, n)
	for i := range waiters {
		waiters[i] = replies.Expect("a", fmt.Sprint("x", i))
	}
	if got := b.Conn().NumSubscriptions() - before; got != 1 || replies.Waiting() != n {
		t.Errorf("got %d subscriptions and %d waiters, want 1 and %d", got, replies.Waiting(), n)
	}
	var wg sync.WaitGroup
	for i, w := range waiters[:answered] {
		wg.Go(func() {
			if got, err := waits(t, w, true, time.Minute); err != nil || got.ID != fmt.Sprint("x", i) {
				t.Errorf("waiter %d: got %s, %v", i, got.Payload, err)
			}
		})
	}
	run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
	promises := make([]*bus.Promise, answered)
	for i := range promises {
		id := fmt.Sprint("x", i)
		var err error
		if promises[i], err = b.PublishAsync(bus.Envelope{Agent: "a", ID: id, ReplyTo: replies.Subject(id), Request: bus.Request{Prompt: "hi"}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range promises {
		if _, err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for _, w := range waiters {
		w.Close()
	}
	if replies.Waiting() != 0 {
		t.Errorf("waiting: got %d, want none", replies.Waiting())
	}
}
