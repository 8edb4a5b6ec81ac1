package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// executions counts how often a handler ran.
type executions struct{ n atomic.Int64 }

func (e *executions) handler(ctx context.Context, job *bus.Job) (bus.Answer, error) {
	e.n.Add(1)
	return echo(ctx, job)
}

func TestARepeatedCallJoinsTheFirst(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	one, two := start(t, s, configured()), start(t, s, configured())
	first := one.do(t, post(requests, `{"prompt":"hi","input":{"a":1}}`, "Idempotency-Key: k1"))
	first.is(t, http.StatusAccepted)

	for _, tt := range []struct {
		name string
		at   *running
		call call
	}{
		{"at the same replica", one, post(requests, `{"prompt":"hi","input":{"a":1}}`, "Idempotency-Key: k1")},
		{"at another replica", two, post(requests, `{"prompt":"hi","input":{"a":1}}`, "Idempotency-Key: k1")},
		{"with other white space", two, post(requests, `{ "input": {"a" : 1}, "prompt":"hi" }`, "Idempotency-Key: k1")},
		{"with the id in the body", two, post(requests, `{"id":"k1","prompt":"hi","input":{"a":1}}`)},
		{"in the other lane", two, post(requests+"?lane=batch", `{"prompt":"hi","input":{"a":1}}`, "Idempotency-Key: k1")},
	} {
		t.Run("pending: "+tt.name, func(t *testing.T) {
			r := tt.at.do(t, tt.call)
			if r.status != first.status || r.body != first.body || r.header.Get("Location") != first.header.Get("Location") {
				t.Errorf("got %d %s, want what the first call got: %d %s", r.status, r.body, first.status, first.body)
			}
		})
	}
	other := post(requests, `{"prompt":"ho"}`, "Idempotency-Key: k1")
	two.do(t, other).problem(t, http.StatusUnprocessableEntity, "another body")

	var ran executions
	work(t, one.bus, "echo", ran.handler)
	var results []string
	for i, g := range []*running{one, two, one} {
		r := g.do(t, post(requests, `{"prompt":"hi","input":{"a":1}}`, "Idempotency-Key: k1", "Prefer: wait=20"))
		if r.is(t, http.StatusOK)["success"] != true {
			t.Errorf("call %d: got %s", i, r.body)
		}
		results = append(results, r.body)
	}
	if results[0] != results[1] || results[1] != results[2] {
		t.Errorf("the results differ: %q", results)
	}
	if r := two.do(t, post(requests, `{"prompt":"hi","input":{"a":1}}`, "Idempotency-Key: k1")); r.is(t, http.StatusAccepted)["status"] != "answered" {
		t.Errorf("answered, without a wait: got %s", r.body)
	}
	r := two.do(t, other)
	r.problem(t, http.StatusUnprocessableEntity, "another body")
	if r.json(t)["id"] != "k1" {
		t.Errorf("the problem does not name the id: %s", r.body)
	}
	if n := ran.n.Load(); n != 1 {
		t.Errorf("executed %d times, want once", n)
	}
}

func TestARepeatedCallJoinsAfterARestart(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	first := start(t, s, configured())
	first.do(t, post(requests, hi, "Idempotency-Key: r1")).is(t, http.StatusAccepted)
	first.stop()
	s.Restart(t)

	second := start(t, s, configured())
	var ran executions
	work(t, second.bus, "echo", ran.handler)
	second.do(t, post(requests, hi, "Idempotency-Key: r1", "Prefer: wait=20")).is(t, http.StatusOK)
	second.do(t, post(requests, `{"prompt":"ho"}`, "Idempotency-Key: r1")).problem(t, http.StatusUnprocessableEntity, "r1")
	if n := ran.n.Load(); n != 1 {
		t.Errorf("executed %d times, want once", n)
	}
}

func TestManyAtOnceAreOneRequest(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	gateways := []*running{start(t, s, configured()), start(t, s, configured())}
	var ran executions
	work(t, gateways[0].bus, "echo", ran.handler)
	const ids, callers = 20, 8
	results := make([]sync.Map, ids)
	var wg sync.WaitGroup
	for i := range ids {
		for c := range callers {
			wg.Go(func() {
				lane := []string{"interactive", "batch"}[c/2%2]
				r, err := gateways[c%2].try(t.Context(), t, post(requests+"?lane="+lane, fmt.Sprintf(`{"prompt":"p%d"}`, i), fmt.Sprintf("Idempotency-Key: m%d", i), "Prefer: wait=20"))
				if err != nil || r.status != http.StatusOK {
					t.Errorf("call %d of m%d: got %d %s %v", c, i, r.status, r.body, err)
					return
				}
				results[i].Store(r.body, true)
			})
		}
	}
	wg.Wait()
	for i := range results {
		n := 0
		results[i].Range(func(body, _ any) bool {
			n++
			if !strings.Contains(body.(string), fmt.Sprintf(`"text":"p%d"`, i)) {
				t.Errorf("m%d: got %s", i, body)
			}
			return true
		})
		if n != 1 {
			t.Errorf("m%d has %d different results, want 1", i, n)
		}
	}
}

func TestAnIDThatCannotBeComparedIsAConflict(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	if _, err := g.bus.JetStream().Publish(t.Context(), bus.RequestSubject("echo", bus.LaneInteractive, "odd"), []byte("not a request")); err != nil {
		t.Fatal(err)
	}
	r := g.do(t, post(requests, hi, "Idempotency-Key: odd"))
	r.problem(t, http.StatusConflict, "use another id")
	work(t, g.bus, "echo", echo)
	await(t, "the malformed request to be settled", func() bool {
		_, err := g.bus.Result(t.Context(), "echo", "odd")
		return err == nil
	})
	g.do(t, post(requests, hi, "Idempotency-Key: odd")).problem(t, http.StatusConflict, "use another id")
}

// A gateway that dies between the broker's confirmation and its answer leaves the
// client with neither: it repeats the call, at another replica.
func TestACallerWhoGoesAwayLosesNothing(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	one, two := start(t, s, configured()), start(t, s, configured())
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := one.try(ctx, t, post(requests, hi, "Idempotency-Key: g1", "Prefer: wait=60"))
		gone <- err
	})
	defer wg.Wait()
	await(t, "the request", func() bool {
		_, err := two.bus.Pending(t.Context(), "echo", "g1")
		return err == nil
	})
	hangUp()
	if err := <-gone; err == nil {
		t.Fatal("the first call was answered")
	}
	await(t, "the wait to end with its caller", func() bool { return one.waiters.count() == 0 && one.replies.Waiting() == 0 })

	var ran executions
	work(t, two.bus, "echo", ran.handler)
	two.do(t, post(requests, hi, "Idempotency-Key: g1", "Prefer: wait=20")).is(t, http.StatusOK)
	if n := ran.n.Load(); n != 1 {
		t.Errorf("executed %d times, want once", n)
	}
}

// The worker takes a request up and settles it between two looks of the gateway.
func TestAnAnswerBetweenTwoLooksIsFound(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	work(t, g.bus, "echo", echo)
	sub := &submission{envelope: bus.Envelope{Agent: "echo", ID: "late", Request: bus.Request{Prompt: "hi"}}, named: true}
	if p, err := g.join(t.Context(), sub); p != nil || err != nil {
		t.Fatalf("join: got %+v %v, want nothing", p, err)
	}
	g.do(t, post(requests, hi, "Idempotency-Key: late", "Prefer: wait=20")).is(t, http.StatusOK)
	await(t, "the request to be settled", func() bool {
		_, err := g.bus.Pending(t.Context(), "echo", "late")
		return err != nil
	})
	for _, tt := range []struct {
		prompt string
		ok     bool
	}{{"hi", true}, {"ho", false}} {
		sub.envelope.Request.Prompt = tt.prompt
		receipt, err := g.bus.Publish(t.Context(), sub.envelope) // as this gateway would go on
		if err != nil {
			t.Fatal(err)
		}
		p, err := g.placed(t.Context(), sub, receipt)
		if (err == nil) != tt.ok || tt.ok && (!p.joined || len(p.result) == 0) {
			t.Errorf("prompt %s: got %+v %v, want joined: %v", tt.prompt, p, err, tt.ok)
		}
		await(t, "the duplicate to be settled", func() bool {
			_, err := g.bus.Pending(t.Context(), "echo", "late")
			return err != nil
		})
	}
}
