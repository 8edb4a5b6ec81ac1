package asyncapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"genesis/internal/config"
	"genesis/internal/health"
	"genesis/internal/program"
	"genesis/pkg/bus"
)

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestMessagesAreAsDescribed(t *testing.T) {
	d, s := readDocument(t), start(t)
	replies, err := s.NewReplies("g1")
	if err != nil {
		t.Fatal(err)
	}
	defer replies.Close()
	hints, err := s.Conn().SubscribeSync(bus.ReplySubject("g1", "*"))
	if err != nil {
		t.Fatal(err)
	}

	// A request with all that can travel with it; its execution is ended by its client.
	everything := bus.Envelope{
		Agent: "probe", Lane: bus.LaneBatch, ID: "r1", Deadline: time.Now().Add(time.Hour), ReplyTo: replies.Subject("r1"), Client: "ann", Traceparent: traceparent,
		Request: bus.Request{ID: "r1", Method: "execute", Prompt: "hi", Input: json.RawMessage(`{"sleep_ms":600000}`), Timeout: 3600, Metadata: json.RawMessage(`{"a":1}`)},
	}
	publish(t, s, everything)
	request := s.last(t, "genesis.requests.probe.batch.r1")
	d.accepts(t, "request", request.Header, request.Data)
	await(t, "the execution of r1", func() bool {
		l, err := s.Lag(t.Context(), "probe", bus.LaneBatch)
		return err == nil && l.InFlight == 1
	})
	if err := s.Cancel(t.Context(), "probe", "r1", "ann"); err != nil {
		t.Fatal(err)
	}
	cancelled := s.last(t, "genesis.results.probe.r1")
	d.accepts(t, "result", cancelled.Header, cancelled.Data)
	hint, err := hints.NextMsg(patience)
	if err != nil {
		t.Fatalf("hint: %v", err)
	}
	d.accepts(t, "hint", hint.Header, hint.Data)

	// One whose id the publisher makes, to an agent that nobody serves.
	receipt, err := s.Publish(t.Context(), bus.Envelope{Agent: "assistant", Request: bus.Request{Prompt: "hi"}})
	if err != nil {
		t.Fatal(err)
	}
	waiting := s.last(t, bus.RequestSubject("assistant", bus.LaneInteractive, receipt.ID))
	d.accepts(t, "request", waiting.Header, waiting.Data)
	if waiting.Header.Get(bus.HeaderNewID) == "" {
		t.Errorf("a made id: got header %v", waiting.Header)
	}

	// The short form, as any client sends it.
	const whole = `{"prompt":"hi"}`
	d.accepts(t, "request", nil, []byte(whole))
	s.publish(t, "genesis.requests.echo", whole, nats.Header{"Nats-Msg-Id": {"m1"}})
	answer := s.last(t, "genesis.results.echo.m1")
	d.accepts(t, "result", answer.Header, answer.Data)

	// Given up, replayed, given up again.
	publish(t, s, bus.Envelope{Agent: "probe", ID: "r2", Request: bus.Request{Input: json.RawMessage(`{"fail":"permanent"}`)}})
	dead := s.last(t, "genesis.dlq.probe.r2")
	d.accepts(t, "deadLetter", dead.Header, dead.Data)
	failure := s.last(t, "genesis.results.probe.r2")
	d.accepts(t, "result", failure.Header, failure.Data)
	letter, err := s.DeadLetter(t.Context(), "probe", "r2")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Replay(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	replayed := s.last(t, "genesis.dlq.probe.r2")
	d.accepts(t, "deadLetter", replayed.Header, replayed.Data)
	if replayed.Header.Get(bus.HeaderReplay) != "1" {
		t.Errorf("the dead letter of a replay: got header %v", replayed.Header)
	}
	s.publish(t, "genesis.requests.probe.interactive.r3", "no JSON", nats.Header{"tracestate": {"vendor=1"}, "Nats-Msg-Id": {"m3"}})
	malformed := s.last(t, "genesis.dlq.probe.r3")
	d.accepts(t, "deadLetter", malformed.Header, malformed.Data)

	// What operators do.
	if err := s.Audit(t.Context(), bus.AuditRecord{Who: "ann", Verb: "dlq-rm", Reason: "drill", Target: "all", Result: "removed 1"}); err != nil {
		t.Fatal(err)
	}
	record := s.last(t, "genesis.audit.dlq-rm")
	d.accepts(t, "auditRecord", record.Header, record.Data)

	// The monitor tells of the dead letters.
	degraded := s.last(t, "genesis.health.agent.probe")
	d.accepts(t, "healthEvent", degraded.Header, degraded.Data)
}

func TestCommandsAreAsDescribed(t *testing.T) {
	d, s := readDocument(t), start(t)
	for _, tt := range []struct{ verb, command, payload, reply string }{
		{"worker.cancel", "cancelCommand", encode(t, bus.CancelCommand{Agent: "echo", ID: "x"}), "cancelReply"},
		{"worker.breakers", "emptyCommand", "null", "breakersReply"},
		{"worker.breaker-isolate", "breakerCommand", encode(t, bus.BreakerCommand{Name: "simulated", Operator: "ann", Reason: "drill"}), "breakerReply"},
		{"worker.breakers", "emptyCommand", "null", "breakersReply"},
		{"worker.breaker-release", "breakerCommand", encode(t, bus.BreakerCommand{Name: "simulated"}), "breakerReply"},
		{"worker.breaker-reset", "breakerCommand", encode(t, bus.BreakerCommand{Name: "none"}), "breakerReply"},
		{"worker.chaos", "emptyCommand", "null", "chaosReply"},
		{"monitor.lag", "lagCommand", encode(t, health.LagCommand{Agent: "echo"}), "lagReply"},
	} {
		subject := "genesis.control." + tt.verb
		c, known := d.channelOf(subject)
		if !known || c.Messages["command"].Ref != "#/components/messages/"+tt.command {
			t.Errorf("%s: got channel %+v, want one that takes %s", subject, c, tt.command)
		}
		d.accepts(t, tt.command, nil, []byte(tt.payload))
		answer := s.ask(t, subject, tt.payload)
		d.accepts(t, tt.reply, answer.Header, answer.Data)
	}
	refusal := s.ask(t, "genesis.control.worker.cancel", "no JSON")
	d.accepts(t, "refusal", refusal.Header, refusal.Data)

	// Exactly the commands that are served are described.
	served := map[string]bool{}
	for _, component := range []string{bus.ComponentWorker, bus.ComponentMonitor} {
		var info micro.Info
		if err := json.Unmarshal(s.ask(t, "$SRV.INFO.genesis-"+component, "").Data, &info); err != nil {
			t.Fatal(err)
		}
		for _, e := range info.Endpoints {
			served[e.Subject] = true
		}
	}
	described := map[string]bool{}
	for _, c := range d.Channels {
		if strings.HasPrefix(c.Address, "genesis.control.") {
			described[c.Address] = true
		}
	}
	if !maps.Equal(served, described) {
		t.Errorf("commands: got %v described, want %v", slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(served)))
	}
}

func TestStreamsAndBucketsAreDescribed(t *testing.T) {
	d := readDocument(t)
	cfg := config.Default()
	streams, err := program.Streams(cfg)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, stream := range streams {
		if bucket, is := strings.CutPrefix(stream.Name, "KV_"); is {
			if d.Buckets[bucket] == "" {
				t.Errorf("bucket %s is not described", bucket)
			}
			delete(d.Buckets, bucket)
			continue
		}
		name := stream.Name
		if _, is := bus.AgentOfStream(name); is {
			name = bus.RequestStream("{agent}")
		}
		kept[name] = true
		for _, subject := range stream.Subjects {
			if strings.HasPrefix(subject, "$JS.") {
				continue // the broker's own
			}
			if c, known := d.channelOf(strings.ReplaceAll(subject, "*", "x")); !known || c.Stream != name {
				t.Errorf("subject %s of stream %s: got channel %+v", subject, stream.Name, c)
			}
		}
	}
	for name, c := range d.Channels {
		if c.Stream != "" && !kept[c.Stream] {
			t.Errorf("channel %s: there is no stream %s", name, c.Stream)
		}
	}
	if len(d.Buckets) > 0 {
		t.Errorf("got buckets %v described, which are not there", d.Buckets)
	}
	for _, subject := range []string{
		bus.RequestSubject("echo", bus.LaneBatch, "x"), bus.ResultSubject("echo", "x"), bus.DeadLetterSubject("echo", "x"),
		bus.ReplySubject("g1", "x"), bus.HealthSubject(bus.Component{Kind: bus.KindWorker, Name: "host 7.example"}),
	} {
		if _, known := d.channelOf(subject); !known {
			t.Errorf("subject %s belongs to no channel", subject)
		}
	}
}

// The tests above would be worth nothing if the schemas let anything pass.
func TestWhatBreaksTheContractIsNotAsDescribed(t *testing.T) {
	d := readDocument(t)
	for message, payloads := range map[string][]string{
		"request": {
			`[]`, `{}`, `{"prompt":""}`, `{"input":null}`, `{"input":[1]}`, `{"prompt":"a","timeout":0}`, `{"prompt":"a","id":"a b"}`, `{"prompt":"a","prio":1}`,
		},
		"result":      {`{"id":"x","agent":"echo","success":true}`},
		"healthEvent": {`{"specversion":"1.0","id":"1","source":"/genesis/monitor","type":"genesis.health.fine"}`},
		"auditRecord": {`{"who":"ann"}`},
		"lagCommand":  {`{"agent":1}`},
	} {
		for _, payload := range payloads {
			header := nats.Header{}
			if message == "healthEvent" {
				header.Set("Content-Type", bus.ContentTypeEvent)
			}
			if d.refuses(t, message, header, []byte(payload)) == nil {
				t.Errorf("%s %s: got no error", message, payload)
			}
		}
	}
	for message, header := range map[string]nats.Header{
		"request":    {"Genesis-Priority": {"1"}},
		"deadLetter": {"Genesis-Dead-Reason": {"bored"}},
	} {
		if d.refuses(t, message, header, []byte(`{"prompt":"hi"}`)) == nil {
			t.Errorf("%s with header %v: got no error", message, header)
		}
	}
}

func publish(t *testing.T, s *system, e bus.Envelope) {
	t.Helper()
	if _, err := s.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	limit := time.After(patience)
	for !f() {
		select {
		case <-limit:
			t.Fatalf("%s does not happen within %s", what, patience)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
