package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// serve serves commands as one replica of a worker.
func serve(t *testing.T, s *bustest.Server, verbs map[string]bus.ControlFunc) {
	t.Helper()
	c, err := connectTo(t, s, quiet()).ServeWorker("1.0.0", nil, verbs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func says(v any, err error) map[string]bus.ControlFunc {
	return map[string]bus.ControlFunc{"hello": func([]byte) (any, error) { return v, err }}
}

func TestEveryReplicaAnswersACommand(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	for _, name := range []string{"a", "b"} {
		serve(t, s, map[string]bus.ControlFunc{"hello": func(data []byte) (any, error) { return name + string(data), nil }})
	}
	serve(t, s, says(nil, errors.New("not me,\nsorry")))
	began := time.Now()
	replies, err := b.Ask(t.Context(), bus.ComponentWorker, "hello", 7, 10*time.Second)
	if err != nil || len(replies) != 3 {
		t.Fatalf("got %v, %v, want three replies", replies, err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s, though all had answered", took)
	}
	got := map[string]bool{}
	ids := map[string]bool{}
	for _, r := range replies {
		ids[r.ID] = r.ID != ""
		var text string
		if err := r.Decode(&text); err != nil {
			text = err.Error()[strings.LastIndex(err.Error(), ": ")+2:]
		}
		got[text] = true
	}
	if !got["a7"] || !got["b7"] || !got["not me, sorry"] || len(ids) != 3 {
		t.Errorf("got %v of %v, want the answers of three", got, ids)
	}
}

func TestAReplicaThatDoesNotAnswerIsNamed(t *testing.T) {
	release := make(chan struct{})
	for _, tt := range []struct {
		name  string
		verbs map[string]bus.ControlFunc
	}{
		{"older than the command", nil},
		{"stuck", map[string]bus.ControlFunc{"hello": func([]byte) (any, error) {
			<-release
			return nil, nil
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := bustest.Start(t)
			b := connect(t, s)
			serve(t, s, tt.verbs)
			serve(t, s, says("here", nil))
			replies, err := b.Ask(t.Context(), bus.ComponentWorker, "hello", nil, time.Second)
			if tt.verbs != nil {
				close(release)
			}
			if err != nil || len(replies) != 2 {
				t.Fatalf("got %v, %v, want two replies", replies, err)
			}
			answers, silences := 0, 0
			for _, r := range replies {
				switch {
				case r.Err == nil:
					answers++
				case errors.Is(r.Err, bus.ErrNoAnswer):
					silences++
				}
			}
			if answers != 1 || silences != 1 {
				t.Errorf("got %v, want one answer and one without", replies)
			}
		})
	}
}

func TestNobodyToAsk(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	began := time.Now()
	if _, err := b.Ask(t.Context(), bus.ComponentWorker, "hello", nil, time.Minute); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("without a worker: got %v, want %v", err, bus.ErrNotFound)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s to see that nobody is there", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Ask(ctx, bus.ComponentWorker, "hello", nil, time.Minute); !errors.Is(err, context.Canceled) && !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("interrupted: got %v", err)
	}
	if _, err := b.Ask(t.Context(), bus.ComponentWorker, "hello", func() {}, time.Minute); err == nil {
		t.Error("a payload that is no JSON: got no error")
	}
	s.Down(t)
	await(t, "the connection to be lost", func() bool { return !b.Connected() })
	if _, err := b.Ask(t.Context(), bus.ComponentWorker, "hello", nil, time.Second); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("without the broker: got %v, want %v", err, bus.ErrUnavailable)
	}
}

func TestOperatorsChangeTheBreakersOfEveryReplica(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	breaker, err := resilience.NewBreaker(resilience.BreakerOptions{Name: "llm"})
	if err != nil {
		t.Fatal(err)
	}
	var with, without resilience.Breakers
	if err := with.Add(breaker); err != nil {
		t.Fatal(err)
	}
	serve(t, s, b.BreakerVerbs("a", &with))
	serve(t, s, b.BreakerVerbs("b", &without))
	command := bus.BreakerCommand{Name: "llm", Operator: "ann", Reason: "drill"}
	for _, tt := range []struct{ verb, from, to string }{
		{bus.CommandBreakerIsolate, "closed", "open"},
		{bus.CommandBreakerIsolate, "open", "open"},
		{bus.CommandBreakerRelease, "open", "closed"},
		{bus.CommandBreakerIsolate, "closed", "open"},
		{bus.CommandBreakerReset, "open", "closed"},
	} {
		replies, err := b.Ask(t.Context(), bus.ComponentWorker, tt.verb, command, 5*time.Second)
		if err != nil || len(replies) != 2 {
			t.Fatalf("%s: got %v, %v, want two replies", tt.verb, replies, err)
		}
		for _, r := range replies {
			var got bus.BreakerReply
			if err := r.Decode(&got); err != nil {
				t.Errorf("%s: %v", tt.verb, err)
			}
			switch {
			case got.Replica == "b" && !got.Found && got.Before == nil:
			case got.Replica == "a" && got.Found && got.Before.State == tt.from && got.After.State == tt.to:
			default:
				t.Errorf("%s: got %s, want %s to %s on a and nothing on b", tt.verb, r.Data, tt.from, tt.to)
			}
		}
	}
	replies, err := b.Ask(t.Context(), bus.ComponentWorker, bus.CommandBreakers, nil, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range replies {
		var list bus.BreakersReply
		if err := r.Decode(&list); err != nil || list.Breakers == nil {
			t.Errorf("list: got %s, %v", r.Data, err)
		}
		found += len(list.Breakers)
	}
	if found != 1 {
		t.Errorf("breakers of both: got %d, want 1", found)
	}
	if _, err := b.BreakerVerbs("a", &with)[bus.CommandBreakerReset]([]byte("{")); err == nil {
		t.Error("a command that is no JSON: got no error")
	}
}

func TestTheAuditSaysWhoDidWhat(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	record := bus.AuditRecord{Who: "ann", Verb: "breaker-reset", Reason: "drill", Target: "llm", Result: "done"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what was done was done
	if err := b.Audit(ctx, record); err != nil {
		t.Fatalf("audit: %v", err)
	}
	stream, err := b.JetStream().Stream(t.Context(), "GENESIS_AUDIT")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(t.Context(), "genesis.audit.breaker-reset")
	if err != nil {
		t.Fatal(err)
	}
	var got bus.AuditRecord
	if err := json.Unmarshal(msg.Data, &got); err != nil || got.At.IsZero() {
		t.Errorf("got %s (%v), want a time", msg.Data, err)
	}
	got.At = time.Time{}
	if got != record {
		t.Errorf("got %+v, want %+v", got, record)
	}
	for _, verb := range []string{"", "a.b", "a b", "*", ">"} {
		if err := b.Audit(t.Context(), bus.AuditRecord{Verb: verb}); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("verb %q: got %v, want %v", verb, err, bus.ErrInvalid)
		}
	}
	s.Down(t)
	await(t, "the connection to be lost", func() bool { return !b.Connected() })
	if err := b.Audit(t.Context(), record); !errors.Is(err, bus.ErrUnavailable) || !strings.Contains(err.Error(), "breaker-reset of llm") {
		t.Errorf("without the broker: got %v, want %v and what was done", err, bus.ErrUnavailable)
	}
}
