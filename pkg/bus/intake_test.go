package bus_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// madeID is the form of an id that was made from a message's place.
var madeID = regexp.MustCompile(`^s\d+-[0-9a-z]+$`)

// send publishes a message as a foreign client does.
func send(t testing.TB, b *bus.Bus, subject, payload string, header ...string) uint64 {
	t.Helper()
	msg := &nats.Msg{Subject: subject, Data: []byte(payload), Header: nats.Header{}}
	for i := 0; i < len(header); i += 2 {
		msg.Header[header[i]] = append(msg.Header[header[i]], header[i+1])
	}
	ack, err := b.JetStream().PublishMsg(t.Context(), msg)
	if err != nil {
		t.Fatalf("publish %s %.80s: %v", subject, payload, err)
	}
	return ack.Sequence
}

// letter waits for a dead letter.
func letter(t testing.TB, b *bus.Bus, agent, id string) bus.DeadLetter {
	t.Helper()
	var d bus.DeadLetter
	await(t, "the dead letter of "+id, func() (ok bool) {
		var err error
		d, err = b.DeadLetter(t.Context(), agent, id)
		return err == nil
	})
	return d
}

func TestTheIDIsTheSubjectsThenThePayloadsThenTheHeadersThenMade(t *testing.T) {
	const prompt = `"prompt":"hi"}`
	b := connect(t, bustest.Start(t), "a")
	p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 1, Handler: answer})
	for _, tt := range []struct {
		name, subject, payload string
		header                 []string
		want                   string // "": made from the place
		malformed              string
	}{
		{"subject", "a.interactive.s1", `{` + prompt, nil, "s1", ""},
		{"subject, same in the payload", "a.interactive.s2", `{"id":"s2",` + prompt, nil, "s2", ""},
		{"subject over the header", "a.interactive.s3", `{` + prompt, []string{"Nats-Msg-Id", "h3"}, "s3", ""},
		{"subject, a dash in the payload", "a.batch.s4", `{"id":"-",` + prompt, nil, "s4", ""},
		{"payload", "a", `{"id":"p1",` + prompt, nil, "p1", ""},
		{"payload over the header", "a.interactive.-", `{"id":"p2",` + prompt, []string{"Nats-Msg-Id", "h2"}, "p2", ""},
		{"header", "a", `{` + prompt, []string{"Nats-Msg-Id", "h1"}, "h1", ""},
		{"header, a dash in the payload", "a", `{"id":"-",` + prompt, []string{"Nats-Msg-Id", "h4"}, "h4", ""},
		{"none", "a", `{` + prompt, nil, "", ""},
		{"dashes everywhere", "a.batch.-", `{"id":"-",` + prompt, []string{"Nats-Msg-Id", "-"}, "", ""},
		{"an empty id", "a", `{"id":"",` + prompt, nil, "", ""},
		{"subject and payload differ", "a.interactive.d1", `{"id":"d2",` + prompt, nil, "d1", `id "d2" is not the subject's id "d1"`},
		{"a bad id in the subject", "a.interactive.no$good", `{` + prompt, nil, "", `request id "no$good"`},
		{"a bad id in the payload", "a", `{"id":"no good",` + prompt, nil, "", `request id "no good"`},
		{"a bad id in the header", "a", `{` + prompt, []string{"Nats-Msg-Id", "no.good"}, "", `request id "no.good"`},
		{"a long id in the payload", "a", `{"id":"` + strings.Repeat("x", 5000) + `",` + prompt, nil, "", `request id "xxx`},
		{"not JSON, id in the subject", "a.interactive.j1", `nonsense`, nil, "j1", "not JSON"},
		{"not JSON, id in the header", "a", `nonsense`, []string{"Nats-Msg-Id", "j2"}, "j2", "not JSON"},
		{"neither prompt nor input", "a", `{"id":"n1"}`, nil, "n1", "neither"},
		{"nothing at all", "a", ``, nil, "", "not JSON"},
		{"a deadline in words", "a.interactive.t1", `{` + prompt, []string{"Genesis-Deadline", "tomorrow"}, "t1", `Genesis-Deadline is "tomorrow"`},
		{"a deadline without a zone", "a.interactive.t2", `{` + prompt, []string{"Genesis-Deadline", "2026-01-02T15:04:05"}, "t2", "RFC 3339"},
	} {
		before := len(p.settlements(t, 0))
		send(t, b, "genesis.requests."+tt.subject, tt.payload, tt.header...)
		s := p.settlements(t, before+1)[before]
		if id := s.Job.ID; id != tt.want && (tt.want != "" || !madeID.MatchString(id)) {
			t.Errorf("%s: got id %q, want %q", tt.name, id, tt.want)
		}
		r := result(t, b, "a", s.Job.ID)
		if tt.malformed == "" {
			if s.Verdict != bus.VerdictSuccess || !r.Success || r.ID != s.Job.ID {
				t.Errorf("%s: got %s %+v, want a success", tt.name, s.Verdict, r.Result)
			}
			continue
		}
		if s.Verdict != bus.VerdictMalformed || r.Success || r.Error.Code != bus.CodeMalformed || !strings.Contains(r.Error.Message, tt.malformed) {
			t.Errorf("%s: got %s %+v, want malformed, %q", tt.name, s.Verdict, r.Error, tt.malformed)
		}
		d := letter(t, b, "a", s.Job.ID)
		if d.Reason != bus.DeadMalformed || string(d.Payload) != tt.payload || d.Attempts != 0 || !strings.Contains(d.Error, tt.malformed) {
			t.Errorf("%s: got dead letter %+v, want the bytes and the reason", tt.name, d)
		}
	}
	mustHold(t, b)
}

func TestHeadersOfAnyCaseAreRead(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	jobs := make(chan bus.Job, 2)
	run(t, b, bus.PoolOptions{Agent: "a", Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		jobs <- *j
		return answer(ctx, j)
	}})
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	deadline := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, names := range [][]string{
		{"traceparent", "Genesis-Deadline", "Genesis-Client", "Genesis-Reply-To", "Genesis-Replay"},
		{"Traceparent", "genesis-deadline", "genesis-client", "genesis-reply-to", "genesis-replay"},
	} {
		inbox := b.Conn().NewInbox()
		hint, err := b.Conn().SubscribeSync(inbox)
		if err != nil {
			t.Fatal(err)
		}
		send(t, b, "genesis.requests.a", `{"prompt":"hi"}`,
			names[0], trace, names[1], deadline.Format(time.RFC3339), names[2], "me\tyou", names[3], inbox, names[4], "3")
		j := <-jobs
		if j.Traceparent != trace || !j.Deadline.Equal(deadline) || j.Client != "me you" || j.Replays != 3 {
			t.Errorf("headers %v: got job %+v", names, j)
		}
		msg, err := hint.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatalf("headers %v: no hint: %v", names, err)
		}
		r, err := bus.DecodeResult(msg.Data)
		if err != nil || r.ID != j.ID || r.Meta.TraceID != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("headers %v: got hint %+v, %v", names, r, err)
		}
	}
}
