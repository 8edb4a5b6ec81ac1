package bus_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

func TestADeadLetterKeepsTheRequestAndTellsItsStory(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		began := time.Now()
		const payload = "{ \"prompt\" : \"é<>\",\n\"later\":[1] }"
		seq := send(t, b, "genesis.requests.a.batch.x", payload,
			"X-Team", "red", "X-Team", "blue", "x-lower", "kept", "Nats-Msg-Id", "m1", "Genesis-Client", "me",
			"Genesis-Dead-Reason", "forged", "genesis-origin-sequence", "77", "Genesis-New-Id", "1")
		p := run(t, b, bus.PoolOptions{
			Agent: "a", Worker: "w7", Backoff: resilience.Backoff{InitialDelay: time.Minute},
			Handler: script(errors.New("no"), resilience.Permanent(errors.New("line one 42\nline two\x00"))),
		})
		p.settlements(t, 2)
		d := letter(t, b, "a", "x")
		if string(d.Payload) != payload {
			t.Errorf("payload: got %q, want %q", d.Payload, payload)
		}
		got := maps.Clone(d.Header)
		for k := range got {
			if strings.HasPrefix(k, "Nats-") && k != "Nats-Msg-Id" {
				delete(got, k) // the broker's
			}
		}
		want := nats.Header{
			"X-Team": {"red", "blue"}, "x-lower": {"kept"}, "Nats-Msg-Id": {"m1"}, "Genesis-Client": {"me"},
			"Genesis-Dead-Reason": {"permanent"}, "Genesis-Dead-Error": {"line one 42 line two"},
			"Genesis-Dead-Fingerprint": {bus.Fingerprint("a", "permanent", "line one 1\nwhatever")},
			"Genesis-Dead-Attempts":    {"2"}, "Genesis-Dead-Deliveries": {"2"}, "Genesis-Dead-Worker": {"w7"},
			"Genesis-Dead-First": {began.UTC().Format(time.RFC3339Nano)}, "Genesis-Dead-Last": {began.Add(time.Minute).UTC().Format(time.RFC3339Nano)},
			"Genesis-Origin-Stream": {"GENESIS_REQUESTS_a"}, "Genesis-Origin-Sequence": {fmt.Sprint(seq)},
			"Genesis-Origin-Subject": {"genesis.requests.a.batch.x"}, "Genesis-Origin-Time": {began.UTC().Format(time.RFC3339Nano)},
			"Genesis-Request-Digest": {d.Origin.Digest},
		}
		for k := range want {
			if !slices.Equal(got[k], want[k]) {
				t.Errorf("header %s: got %q, want %q", k, got[k], want[k])
			}
		}
		for k := range got {
			if _, ok := want[k]; !ok {
				t.Errorf("header %s: got %q, want none", k, got[k])
			}
		}
		if d.Lane() != bus.LaneBatch || d.Replays != 0 || d.Origin.Digest == "" {
			t.Errorf("dead letter: got %+v", d)
		}
	})
}

func TestAFingerprintIsThatOfTheCause(t *testing.T) {
	same := bus.Fingerprint("a", "permanent", "row 7 of 0xbeef for 5f1c7a52-1111-2222-3333-444455556666 failed")
	for text, want := range map[string]bool{
		"row 8 of 0xdead for 00000000-0000-4000-8000-000000000000 failed":            true,
		"row 7 of 0xbeef for 5f1c7a52-1111-2222-3333-444455556666 failed\nat line 9": true,
		"column 7 of 0xbeef for 5f1c7a52-1111-2222-3333-444455556666 failed":         false,
	} {
		if got := bus.Fingerprint("a", "permanent", text) == same; got != want {
			t.Errorf("fingerprint of %q: got equal=%v, want %v", text, got, want)
		}
	}
	if bus.Fingerprint("b", "permanent", "x") == bus.Fingerprint("a", "permanent", "x") || bus.Fingerprint("a", "panic", "x") == bus.Fingerprint("a", "permanent", "x") {
		t.Error("fingerprints of other agents or reasons are equal")
	}
}

// Two requests of two agents carry one Nats-Msg-Id: the broker must not take the
// second dead letter for a repetition of the first.
func TestDeadLettersWithOneMsgIDAreTwo(t *testing.T) {
	b := connect(t, bustest.Start(t), "a", "b")
	for _, agent := range []string{"a", "b"} {
		send(t, b, "genesis.requests."+agent, `{"prompt":"`+agent+`"}`, "Nats-Msg-Id", "same")
		p := run(t, b, bus.PoolOptions{Agent: agent, Handler: script(resilience.Permanent(errors.New("never")))})
		p.settlements(t, 1)
		d := letter(t, b, agent, "same")
		if string(d.Payload) != `{"prompt":"`+agent+`"}` {
			t.Errorf("dead letter of %s: got %q", agent, d.Payload)
		}
	}
	mustHold(t, b)
}

// A malformed message under the id of an answered request is not that request: it
// goes to the dead letters under an id of its own.
func TestAMalformedMessageUnderAnAnsweredIDIsKept(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
	publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
	p.settlements(t, 1)
	send(t, b, "genesis.requests.a.interactive.x", `nonsense`)
	s := p.settlements(t, 2)[1]
	if s.Verdict != bus.VerdictMalformed {
		t.Errorf("verdict: got %s, want malformed", s.Verdict)
	}
	if got := result(t, b, "a", "x"); !got.Success {
		t.Errorf("result of x: got %s, want its own success", got.Payload)
	}
	found := 0
	for d, err := range b.DeadLetters(t.Context(), bus.DeadLetterFilter{Reason: bus.DeadMalformed}) {
		if err != nil {
			t.Fatal(err)
		}
		found++
		if whole := letter(t, b, "a", d.ID); string(whole.Payload) != "nonsense" || !madeID.MatchString(d.ID) {
			t.Errorf("dead letter: got %s %q, want the bytes under an id of their own", d.ID, whole.Payload)
		}
	}
	if found != 1 {
		t.Errorf("dead letters: got %d, want 1", found)
	}
	mustHold(t, b)
}

// A request just below the broker's limit does not fit into a dead letter with its
// headers. It must end all the same, and not come back for ever.
func TestARequestTooLargeForADeadLetterEnds(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		payload := `{"prompt":"` + strings.Repeat("x", 1<<20-300) + `"}`
		send(t, b, "genesis.requests.a.interactive.x", payload)
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: script(resilience.Permanent(errors.New(strings.Repeat("never ", 500))))})
		if v := verdicts(t, p, 1); v[0] != bus.VerdictPermanent {
			t.Errorf("verdict: got %s, want permanent", v[0])
		}
		if got := result(t, b, "a", "x"); got.Success || got.Error.Code != bus.CodePermanent {
			t.Errorf("result: got %s, want the failure", got.Payload)
		}
		emptied(t, b, "a")
		mustHold(t, b)
	})
}

// What Publish accepts can become a dead letter and be replayed, with the longest of
// headers; what cannot is refused.
func TestWhatIsAcceptedFitsIntoADeadLetter(t *testing.T) {
	b := connect(t, bustest.Start(t, bustest.MaxPayload(64<<10)), "a")
	e := bus.Envelope{
		Agent: "a", ID: strings.Repeat("x", 64), Client: strings.Repeat("c", 64), ReplyTo: "_INBOX." + strings.Repeat("r", 200),
		Deadline: time.Now().Add(time.Hour), Traceparent: strings.Repeat("t", 64),
	}
	e.Request.Prompt = strings.Repeat("p", 64<<10-4096-len(`{"prompt":""}`)+1)
	if _, err := b.Publish(t.Context(), e); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("publish of a byte too much: got %v, want too large", err)
	}
	if _, err := b.PublishAsync(e); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("asynchronous publish of a byte too much: got %v, want too large", err)
	}
	e.Request.Prompt = e.Request.Prompt[1:]
	publish(t, b, e)
	p := run(t, b, bus.PoolOptions{
		Agent: "a", Worker: strings.Repeat("w", 64),
		Handler: script(resilience.Permanent(errors.New(strings.Repeat("e", 5000)))),
	})
	for round := range 5 {
		p.settlements(t, round+1)
		settled(t, b)
		if err := b.Replay(t.Context(), letter(t, b, "a", e.ID)); err != nil {
			t.Fatalf("replay %d: %v", round, err)
		}
	}
}

// The message stays while the dead-letter stream cannot take it, and goes there once
// it can; nothing is executed again for it.
func TestARequestStaysUntilItsDeadLetterIsStored(t *testing.T) {
	for _, tt := range []struct {
		name        string
		spoil, mend func(*testing.T, *bus.Bus, jetstream.StreamConfig)
	}{
		{
			"the stream is missing", func(*testing.T, *bus.Bus, jetstream.StreamConfig) {},
			func(t *testing.T, b *bus.Bus, cfg jetstream.StreamConfig) { create(t, b, cfg) },
		},
		{"the stream is full", func(t *testing.T, b *bus.Bus, cfg jetstream.StreamConfig) {
			cfg.MaxMsgs, cfg.Discard = 1, jetstream.DiscardNew
			create(t, b, cfg)
			send(t, b, bus.DeadLetterSubject("a", "first"), "filled")
		}, func(t *testing.T, b *bus.Bus, _ jetstream.StreamConfig) {
			if err := b.RemoveDeadLetter(t.Context(), letter(t, b, "a", "first")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		for reason, verdict := range map[string]bus.Verdict{bus.DeadPermanent: bus.VerdictPermanent, bus.DeadMalformed: bus.VerdictMalformed} {
			t.Run(tt.name+", "+reason, func(t *testing.T) {
				virtual(t, func(t *testing.T, s *bustest.Server) {
					b := connect(t, s, "a")
					dlq, err := b.JetStream().Stream(t.Context(), bus.StreamDeadLetters)
					if err != nil {
						t.Fatal(err)
					}
					if err := b.JetStream().DeleteStream(t.Context(), bus.StreamDeadLetters); err != nil {
						t.Fatal(err)
					}
					tt.spoil(t, b, dlq.CachedInfo().Config)
					calls := 0
					p := run(t, b, bus.PoolOptions{Agent: "a", Logger: quiet(), Handler: func(context.Context, *bus.Job) (bus.Answer, error) {
						calls++
						return bus.Answer{}, resilience.Permanent(errors.New("never"))
					}})
					payload := map[string]string{bus.DeadPermanent: `{"prompt":"x"}`, bus.DeadMalformed: "nonsense"}[reason]
					send(t, b, "genesis.requests.a.interactive.x", payload)
					for _, v := range verdicts(t, p, 4) {
						if v != bus.VerdictHeld {
							t.Errorf("verdict: got %s, want held", v)
						}
					}
					if _, err := b.Result(t.Context(), "a", "x"); !errors.Is(err, bus.ErrNotFound) || queued(t, b, "a") != 1 {
						t.Errorf("result: got %v, %d in the queue, want none and the message", err, queued(t, b, "a"))
					}
					tt.mend(t, b, dlq.CachedInfo().Config)
					d := letter(t, b, "a", "x")
					if d.Reason != reason || string(d.Payload) != payload || reason == bus.DeadPermanent && (calls != 1 || d.Attempts != 1 || d.Error != "never") {
						t.Errorf("dead letter: got %+v after %d executions, want %s after one", d, calls, reason)
					}
					if got := result(t, b, "a", "x"); got.Success {
						t.Errorf("result: got %s, want the failure", got.Payload)
					}
					all := p.settlements(t, 5)
					if last := all[len(all)-1]; last.Verdict != verdict {
						t.Errorf("last verdict: got %s, want %s", last.Verdict, verdict)
					}
					mustHold(t, b)
				})
			})
		}
	}
}

func create(t testing.TB, b *bus.Bus, cfg jetstream.StreamConfig) {
	t.Helper()
	if _, err := b.JetStream().CreateStream(t.Context(), cfg); err != nil {
		t.Fatalf("create %s: %v", cfg.Name, err)
	}
}
