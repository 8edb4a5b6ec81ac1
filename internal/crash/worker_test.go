//go:build faults

package crash

import (
	"encoding/json"
	"errors"
	"testing"

	"genesis/pkg/bus"
)

// TestAWorkerKilledBetweenAnyTwoSteps kills the worker at each step of a request's way,
// and lets another finish.
func TestAWorkerKilledBetweenAnyTwoSteps(t *testing.T) {
	const (
		succeeds = `{}`
		retried  = `{"fail":"retryable","fail_times":1}`
		fails    = `{"fail":"permanent"}`
		exhausts = `{"fail":"retryable"}`
	)
	s := newSystem(t)
	answered := 0
	for _, c := range []struct {
		point string
		input string
		dead  string
	}{
		{"opened", succeeds, ""},
		{"executed", succeeds, ""},
		{"stored", succeeds, ""},
		{"hinted", succeeds, ""},
		{"acked", succeeds, ""},
		{"executed", retried, ""},
		{"recorded", retried, ""},
		{"given-back", retried, ""},
		{"opened", fails, bus.DeadPermanent},
		{"executed", fails, bus.DeadPermanent},
		{"condemned", fails, bus.DeadPermanent},
		{"buried", fails, bus.DeadPermanent},
		{"failure-stored", fails, bus.DeadPermanent},
		{"failure-hinted", fails, bus.DeadPermanent},
		{"termed", fails, bus.DeadPermanent},
		{"recorded", exhausts, bus.DeadExhausted},
		{"condemned", exhausts, bus.DeadExhausted},
		{"buried", exhausts, bus.DeadExhausted},
	} {
		t.Run(c.point+" "+c.input, func(t *testing.T) {
			s := &system{t: t, config: s.config, addr: s.addr, bus: s.bus}
			dying := s.startWorker(c.point)
			id := s.publish(bus.Envelope{Agent: "probe", Request: bus.Request{Prompt: "hi", Input: json.RawMessage(c.input)}})
			dying.awaitKilled()

			heir := s.startWorker("")
			r := s.result("probe", id)
			answered++
			s.holds(answered)
			heir.terminate()

			d, err := s.bus.DeadLetter(t.Context(), "probe", id)
			switch {
			case c.dead == "" && (!r.Success || !errors.Is(err, bus.ErrNotFound)):
				t.Errorf("got result %+v and dead letter %v, want a success and none", r.Result, err)
			case c.dead != "" && (r.Success || err != nil || d.Reason != c.dead):
				t.Errorf("got result %+v and dead letter %q, %v, want a failure and reason %q", r.Result, d.Reason, err, c.dead)
			}
		})
	}
}

// TestARequestThatKillsItsWorkerIsPoison has no fault points: the probe kills the
// worker as any bad request could.
func TestARequestThatKillsItsWorkerIsPoison(t *testing.T) {
	s := newSystem(t)
	id := s.publish(bus.Envelope{Agent: "probe", Request: bus.Request{Input: json.RawMessage(`{"exit":true}`)}})
	for range bus.DefaultMaxCrashes {
		p := s.startWorker("")
		<-p.done
	}
	p := s.startWorker("")
	r := s.result("probe", id)
	if r.Success || r.Error.Code != bus.CodePoison || r.Meta.Deliveries != 4 {
		t.Errorf("result: got %+v, want poison before a fourth execution", r.Result)
	}
	d, err := s.bus.DeadLetter(t.Context(), "probe", id)
	if err != nil || d.Reason != bus.DeadPoison {
		t.Errorf("dead letter: got %+v, %v, want poison", d, err)
	}
	s.holds(1)
	p.terminate()
}
