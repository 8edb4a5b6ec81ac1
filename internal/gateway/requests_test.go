package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

const (
	hi       = `{"prompt":"hi"}`
	requests = "/v1/agents/echo/requests"
)

func TestARequestIsAcceptedAndAnswered(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())

	r := g.do(t, post(requests, hi, "Idempotency-Key: order-1"))
	body := r.is(t, http.StatusAccepted)
	if r.header.Get("Location") != requests+"/order-1" || body["id"] != "order-1" || body["agent"] != "echo" || body["status"] != "pending" {
		t.Errorf("accepted: got Location %q and %s", r.header.Get("Location"), r.body)
	}
	if got := r.header.Get("Preference-Applied"); got != "" {
		t.Errorf("Preference-Applied without Prefer: got %q", got)
	}
	pending := g.do(t, get(requests+"/order-1"))
	if pending.is(t, http.StatusAccepted)["status"] != "pending" || pending.header.Get("Retry-After") == "" {
		t.Errorf("pending: got %s %v", pending.body, pending.header)
	}
	work(t, g.bus, "echo", echo)
	done := g.do(t, get(requests+"/order-1", "Prefer: wait=20"))
	result := done.is(t, http.StatusOK)
	if result["success"] != true || result["id"] != "order-1" || result["output"].(map[string]any)["text"] != "hi" {
		t.Errorf("result: got %s", done.body)
	}
	if got := done.header.Get("Preference-Applied"); got != "wait=20" {
		t.Errorf("Preference-Applied: got %q", got)
	}
}

func TestWaitingBringsTheResultWithTheAnswer(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	work(t, g.bus, "echo", echo)
	for _, tt := range []struct {
		name string
		call call
	}{
		{"under an id of the gateway's", post(requests, hi, "Prefer: wait=20")},
		{"under an id of the client's", post(requests, hi, "Prefer: wait=20", `Idempotency-Key: "quoted-1"`)},
		{"under an id in the body", post(requests, `{"prompt":"hi","id":"body-1"}`, "Prefer: respond-async", "Prefer: wait=20; strict=1")},
		{"in the batch lane", post(requests+"?lane=batch", hi, "Prefer: wait=20")},
		{"with a charset", call{http.MethodPost, requests, hi, []string{"Content-Type: application/json; charset=UTF-8", "Prefer: wait=20"}}},
		{"with a traceparent", post(requests, hi, "Prefer: wait=20", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := g.do(t, tt.call)
			result := r.is(t, http.StatusOK)
			if result["success"] != true || r.header.Get("Preference-Applied") != "wait=20" {
				t.Errorf("got %v %s", r.header, r.body)
			}
			if want := requests + "/" + result["id"].(string); r.header.Get("Location") != want {
				t.Errorf("Location: got %q, want %q", r.header.Get("Location"), want)
			}
			trace := result["metadata"].(map[string]any)["trace_id"]
			if want := strings.Contains(tt.name, "traceparent"); (trace == "4bf92f3577b34da6a3ce929d0e0e4736") != want {
				t.Errorf("trace_id: got %q", trace)
			}
		})
	}
}

func TestAWaitThatEndsWithoutAResultIsA202(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	began := time.Now()
	r := g.do(t, post(requests, hi, "Prefer: wait=1"))
	if r.is(t, http.StatusAccepted)["status"] != "pending" || r.header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("got %s %v", r.body, r.header)
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %s, want 1 s", took)
	}
	if r := g.do(t, post(requests, hi, "Prefer: wait=0")); r.is(t, http.StatusAccepted)["status"] != "pending" {
		t.Errorf("wait=0: got %s", r.body)
	}
}

func TestAFailureIsAnAnswerToo(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	work(t, g.bus, "echo", func(context.Context, *bus.Job) (bus.Answer, error) {
		return bus.Answer{}, resilience.Permanent(context.DeadlineExceeded)
	})
	r := g.do(t, post(requests, hi, "Prefer: wait=20"))
	result := r.is(t, http.StatusOK)
	if result["success"] != false || result["error"].(map[string]any)["code"] != "permanent" {
		t.Errorf("got %s", r.body)
	}
}

func TestADeadlineIsPassedOn(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	work(t, g.bus, "echo", echo)
	r := g.do(t, post(requests, hi, "Prefer: wait=20", "Genesis-Deadline: 2020-01-01T00:00:00Z"))
	if got := r.is(t, http.StatusOK)["error"].(map[string]any)["code"]; got != "expired" {
		t.Errorf("got %s, want it expired", r.body)
	}
}

func TestCancelling(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	g.do(t, post(requests, hi, "Idempotency-Key: c1")).is(t, http.StatusAccepted)

	r := g.do(t, remove(requests+"/c1"))
	if r.is(t, http.StatusAccepted)["status"] != "cancelled" {
		t.Errorf("cancel: got %s", r.body)
	}
	result := g.do(t, get(requests+"/c1")).is(t, http.StatusOK)
	if result["success"] != false || result["error"].(map[string]any)["code"] != "cancelled" {
		t.Errorf("result: got %v", result)
	}
	g.do(t, remove(requests+"/c1")).problem(t, http.StatusConflict, "answered already")
	g.do(t, remove(requests+"/c2")).problem(t, http.StatusNotFound, "no such request")
	g.do(t, remove("/v1/agents/eco/requests/c1")).problem(t, http.StatusNotFound, `did you mean "echo"?`)
}

func TestACallerWhoWaitsHearsOfACancellation(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	answered := make(chan reply, 1)
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(ctx, func() {
		r, err := g.try(context.WithoutCancel(ctx), t, post(requests, hi, "Idempotency-Key: w1", "Prefer: wait=20"))
		if err != nil {
			t.Error(err)
		}
		answered <- r
	})
	cancel()
	await(t, "the request", func() bool {
		_, err := g.bus.Pending(t.Context(), "echo", "w1")
		return err == nil
	})
	g.do(t, remove(requests+"/w1")).is(t, http.StatusAccepted)
	if r := <-answered; r.is(t, http.StatusOK)["success"] != false {
		t.Errorf("got %s", r.body)
	}
}

func TestWhatIsNotThereIs404(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	g.do(t, get(requests+"/none")).problem(t, http.StatusNotFound, "no such request")
	g.do(t, get("/v1/agents/eco/requests/none")).problem(t, http.StatusNotFound, `did you mean "echo"?`)
	g.do(t, post("/v1/agents/zzzzz/requests", hi)).problem(t, http.StatusNotFound, "GET /v1/agents lists them")
}

func TestAFullQueueIs503AndStoresNothing(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) {
		a := c.Agents["echo"]
		a.MaxPending = 1
		c.Agents["echo"] = a
	}))
	g.do(t, post(requests, hi)).is(t, http.StatusAccepted)
	r := g.do(t, post(requests, hi, "Idempotency-Key: f2"))
	r.problem(t, http.StatusServiceUnavailable, "nothing was stored")
	if r.header.Get("Retry-After") == "" || r.json(t)["id"] != "f2" {
		t.Errorf("got %v %s, want Retry-After and the id", r.header, r.body)
	}
	g.do(t, get(requests+"/f2")).problem(t, http.StatusNotFound, "")
}
