package streams

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// load loads the streams by name.
func load(t *testing.T, o Options) map[string]jetstream.StreamConfig {
	t.Helper()
	all, err := Load(o)
	if err != nil {
		t.Fatalf("Load(%+v): %v", o, err)
	}
	if !slices.IsSortedFunc(all, func(a, b jetstream.StreamConfig) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("Load(%+v): not sorted by name", o)
	}
	byName := make(map[string]jetstream.StreamConfig)
	for _, cfg := range all {
		byName[cfg.Name] = cfg
	}
	if len(byName) != len(all) {
		t.Errorf("Load(%+v): %d streams with %d names", o, len(all), len(byName))
	}
	return byName
}

func TestWithoutAgentsThereAreTheSharedStreams(t *testing.T) {
	got := load(t, Options{})
	want := []string{
		"GENESIS_ADVISORIES", "GENESIS_AUDIT", "GENESIS_DLQ", "GENESIS_HEALTH", "GENESIS_RESULTS",
		"KV_genesis_attempts", "KV_genesis_breakers", "KV_genesis_cache", "KV_genesis_chaos",
		"KV_genesis_flags", "KV_genesis_leases", "KV_genesis_recovery",
	}
	for _, name := range want {
		cfg, ok := got[name]
		if !ok {
			t.Errorf("stream %s: not there", name)
		}
		if cfg.Replicas != 1 || cfg.MaxBytes != -1 || cfg.Compression != jetstream.NoCompression || cfg.Storage != jetstream.FileStorage || !cfg.AllowDirect {
			t.Errorf("stream %s: got replicas %d, max_bytes %d, compression %s, storage %s, allow_direct %v",
				name, cfg.Replicas, cfg.MaxBytes, cfg.Compression, cfg.Storage, cfg.AllowDirect)
		}
	}
	if len(got) != len(want) {
		t.Errorf("streams: got %d, want %d", len(got), len(want))
	}
}

func TestAnAgentGetsItsOwnRequestStream(t *testing.T) {
	got := load(t, Options{Replicas: 3, Agents: map[string]AgentOptions{
		"echo":       {},
		"summarizer": {MaxPending: 7, MaxMsgSize: 4096},
	}})
	echo := got[bus.RequestStream("echo")]
	want := []string{"genesis.requests.echo", "genesis.requests.echo.interactive.*", "genesis.requests.echo.batch.*"}
	if !slices.Equal(echo.Subjects, want) {
		t.Errorf("subjects: got %q, want %q", echo.Subjects, want)
	}
	if tr := echo.SubjectTransform; tr == nil || tr.Source != "genesis.requests.echo" ||
		tr.Destination != bus.RequestSubject("echo", bus.LaneInteractive, bus.AnonymousID) {
		t.Errorf("subject transform: got %+v, want the short form stored as .interactive.-", tr)
	}
	if echo.Retention != jetstream.WorkQueuePolicy || echo.Discard != jetstream.DiscardNew || !echo.AllowAtomicPublish {
		t.Errorf("got retention %s, discard %s, allow_atomic %v", echo.Retention, echo.Discard, echo.AllowAtomicPublish)
	}
	if echo.MaxMsgs != 10000 || echo.MaxMsgSize != 1<<20+64<<10 || echo.Replicas != 3 {
		t.Errorf("defaults: got max_msgs %d, max_msg_size %d, replicas %d", echo.MaxMsgs, echo.MaxMsgSize, echo.Replicas)
	}
	if s := got[bus.RequestStream("summarizer")]; s.MaxMsgs != 7 || s.MaxMsgSize != 4096 {
		t.Errorf("options: got max_msgs %d, max_msg_size %d, want 7 and 4096", s.MaxMsgs, s.MaxMsgSize)
	}
}

func TestWhatIsKeptAndForHowLong(t *testing.T) {
	all := load(t, Options{})
	const day = 24 * time.Hour
	for _, tt := range []struct {
		stream     string
		age        time.Duration
		perSubject int64
		discard    jetstream.DiscardPolicy
		deny       bool
	}{
		{bus.StreamResults, day, 1, jetstream.DiscardOld, false},
		{bus.StreamDeadLetters, 30 * day, 1, jetstream.DiscardOld, false},
		{"GENESIS_HEALTH", 7 * day, 1000, jetstream.DiscardOld, false},
		{bus.StreamAdvisories, 7 * day, 10000, jetstream.DiscardOld, false},
		{"GENESIS_AUDIT", 90 * day, -1, jetstream.DiscardOld, true},
		{"KV_genesis_flags", 0, 5, jetstream.DiscardNew, true},
		{"KV_genesis_attempts", 30 * day, 1, jetstream.DiscardNew, true},
	} {
		cfg := all[tt.stream]
		if cfg.MaxAge != tt.age || cfg.MaxMsgsPerSubject != tt.perSubject || cfg.Discard != tt.discard || cfg.DenyDelete != tt.deny || cfg.DiscardNewPerSubject {
			t.Errorf("%s: got max_age %s, max_msgs_per_subject %d, discard %s, deny_delete %v, discard_new_per_subject %v; want %s, %d, %s, %v, false",
				tt.stream, cfg.MaxAge, cfg.MaxMsgsPerSubject, cfg.Discard, cfg.DenyDelete, cfg.DiscardNewPerSubject, tt.age, tt.perSubject, tt.discard, tt.deny)
		}
	}
}

func TestBadOptionsAreAllNamed(t *testing.T) {
	_, err := Load(Options{Replicas: 2, Agents: map[string]AgentOptions{
		"Echo": {}, "a.b": {}, "ok": {MaxPending: -1, MaxMsgSize: -1},
	}})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"replicas are 2", `"Echo"`, `"a.b"`, "max_pending is -1", "-1 bytes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not contain %q", err, want)
		}
	}
}

func TestAgentNamesAreThoseOfTheBus(t *testing.T) {
	for _, name := range []string{
		"", "a", "echo", "a-", "-a", "1a", "a1", "a_b", "a.b", "a*", "a>", "{agent}", "A", "aB", "ä", "a ", "a\n",
		strings.Repeat("a", 32), strings.Repeat("a", 33),
	} {
		if got, want := validAgent(name), bus.ValidAgent(name) == nil; got != want {
			t.Errorf("agent %q: got %v, the bus says %v", name, got, want)
		}
	}
}

func TestFilesAreReadStrictly(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a misspelt key", `{"name":"S","subjects":["s"],"max_msg":1}`, "max_msg"},
		{"a duration in words", `{"name":"S","subjects":["s"],"max_age":"1h"}`, "max_age"},
		{"an unknown policy", `{"name":"S","subjects":["s"],"retention":"for ever"}`, "for ever"},
		{"another name than the file's", `{"name":"T","subjects":["s"]}`, `want "S"`},
		{"no subjects", `{"name":"S"}`, "no subjects"},
		{"two objects", `{"name":"S","subjects":["s"]} {}`, "more follows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse("S.json", []byte(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "S.json") {
				t.Errorf("parse(%s): got error %v, want one with S.json and %q", tt.in, err, tt.want)
			}
		})
	}
}
