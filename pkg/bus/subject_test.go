package bus

import (
	"errors"
	"strings"
	"testing"
)

func TestAgentNamesFollowTheContract(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "echo": true, "a-1": true, "a-": true, "z9": true, strings.Repeat("a", 32): true,
		"": false, "-a": false, "9a": false, "A": false, "aB": false, "a_b": false, "a.b": false, "a b": false,
		"a*": false, ">": false, "ä": false, "a\x00": false, "a\n": false, strings.Repeat("a", 33): false,
	} {
		if err := ValidAgent(name); (err == nil) != ok || !ok && !errors.Is(err, ErrInvalid) {
			t.Errorf("ValidAgent(%q): got %v, want ok=%v", name, err, ok)
		}
		got, is := AgentOfStream(RequestStream(name))
		if is != ok || ok && got != name {
			t.Errorf("AgentOfStream(%q): got %q, %v, want ok=%v", RequestStream(name), got, is, ok)
		}
	}
	if _, ok := AgentOfStream(StreamResults); ok {
		t.Errorf("AgentOfStream(%q): got an agent, want none", StreamResults)
	}
}

func TestIDsFollowTheContract(t *testing.T) {
	for id, ok := range map[string]bool{
		"x": true, "A-b_9": true, "--": true, "_": true, "-x": true, strings.Repeat("x", 64): true,
		"": false, "-": false, "a.b": false, "a b": false, "*": false, ">": false, "é": false, "a/b": false,
		"a\r\n": false, strings.Repeat("x", 65): false,
	} {
		if err := ValidID(id); (err == nil) != ok || !ok && !errors.Is(err, ErrInvalid) {
			t.Errorf("ValidID(%q): got %v, want ok=%v", id, err, ok)
		}
	}
	if text := ValidID(strings.Repeat("y", 1<<20)).Error(); len(text) > 400 {
		t.Errorf("the error about a huge id has %d bytes", len(text))
	}
}

func TestRequestSubjectsAreParsed(t *testing.T) {
	for _, tt := range []struct {
		subject   string
		agent     string
		lane      Lane
		id        string
		malformed bool
	}{
		{"genesis.requests.echo", "echo", LaneInteractive, "-", false},
		{"genesis.requests.echo.interactive.-", "echo", LaneInteractive, "-", false},
		{"genesis.requests.echo.interactive.x", "echo", LaneInteractive, "x", false},
		{"genesis.requests.echo.batch.x", "echo", LaneBatch, "x", false},
		{"genesis.requests.echo.batch.no$id", "echo", LaneBatch, "no$id", false}, // filed as malformed later on
		{"genesis.requests.echo.", "", "", "", true},
		{"genesis.requests.echo.interactive", "", "", "", true},
		{"genesis.requests.echo.interactive.", "", "", "", true},
		{"genesis.requests.echo.interactive.x.y", "", "", "", true},
		{"genesis.requests.echo..x", "", "", "", true},
		{"genesis.requests.echo.urgent.x", "", "", "", true},
		{"genesis.requests.Echo.batch.x", "", "", "", true},
		{"genesis.requests.", "", "", "", true},
		{"genesis.requests", "", "", "", true},
		{"genesis.results.echo.x", "", "", "", true},
		{"", "", "", "", true},
	} {
		agent, lane, id, err := parseRequestSubject(tt.subject)
		if tt.malformed {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("parse %q: got %q %q %q %v, want invalid", tt.subject, agent, lane, id, err)
			}
			continue
		}
		if err != nil || agent != tt.agent || lane != tt.lane || id != tt.id {
			t.Errorf("parse %q: got %q %q %q %v, want %q %q %q", tt.subject, agent, lane, id, err, tt.agent, tt.lane, tt.id)
		}
	}
}

func TestStoredSubjectsAreParsed(t *testing.T) {
	for subject, want := range map[string][2]string{
		"genesis.results.echo.x":   {"echo", "x"},
		"genesis.results.echo":     {},
		"genesis.results.echo.-":   {},
		"genesis.results.echo.x.y": {},
		"genesis.results.Echo.x":   {},
		"genesis.dlq.echo.x":       {},
	} {
		agent, id, err := parseStoredSubject(resultPrefix, subject)
		if (err == nil) != (want[0] != "") || err == nil && (agent != want[0] || id != want[1]) {
			t.Errorf("parse %q: got %q %q %v, want %q", subject, agent, id, err, want)
		}
	}
}

func TestRepliesGoOnlyWhereARequestMaySendThem(t *testing.T) {
	for subject, ok := range map[string]bool{
		"_INBOX.abc": true, "_INBOX.abc.1": true, "genesis.replies.gw.x": true, "genesis.replies.x": true,
		"": false, "_INBOX": false, "_INBOX.": false, "genesis.replies.": false, "_INBOXx.a": false,
		"_INBOX.a.": false, "_INBOX.a..b": false, "_INBOX.*": false, "_INBOX.>": false, "_INBOX.a b": false,
		"_INBOX.a\r\nPUB x 0": false, "_INBOX.a\x00": false, "_inbox.a": false,
		"genesis.requests.a.interactive.x": false, "genesis.results.a.x": false, "genesis.control.worker.cancel": false,
		"$JS.API.STREAM.DELETE.GENESIS_RESULTS": false, "$KV.genesis_flags.x": false,
		"_INBOX." + strings.Repeat("x", 300): false,
	} {
		if got := replyAllowed(subject); got != ok {
			t.Errorf("replyAllowed(%q): got %v, want %v", subject, got, ok)
		}
	}
}

// FuzzRequestSubject: parsing never panics, and whatever it accepts is rebuilt exactly.
func FuzzRequestSubject(f *testing.F) {
	for _, s := range []string{
		"genesis.requests.echo", "genesis.requests.echo.interactive.x", "genesis.requests.echo.batch.-",
		"genesis.requests.a.b.c.d", "genesis.requests..", "genesis.requests.a.interactive.\xff", "",
	} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, subject, id string) {
		agent, lane, got, err := parseRequestSubject(subject)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("parse %q: got %v, want an invalid", subject, err)
			}
			return
		}
		rebuilt := RequestSubject(agent, lane, got)
		short := subject == requestPrefix+agent && got == AnonymousID && lane == LaneInteractive
		if rebuilt != subject && !short {
			t.Fatalf("parse %q: rebuilt as %q", subject, rebuilt)
		}
		if ValidID(id) != nil {
			return
		}
		for _, lane := range Lanes() {
			a, l, i, err := parseRequestSubject(RequestSubject(agent, lane, id))
			if err != nil || a != agent || l != lane || i != id {
				t.Fatalf("build and parse %q %q %q: got %q %q %q %v", agent, lane, id, a, l, i, err)
			}
		}
		if a, i, err := parseStoredSubject(deadLetterPrefix, DeadLetterSubject(agent, id)); err != nil || a != agent || i != id {
			t.Fatalf("dead letter of %q %q: parsed as %q %q %v", agent, id, a, i, err)
		}
	})
}
