package bus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"genesis/pkg/bus/bustest"
)

func TestEnsureCreatesWhatIsMissingForProgramsThatStartTogether(t *testing.T) {
	s := bustest.Start(t)
	var programs errgroup.Group
	want := topologyOf(t, "echo", "probe")
	for range 8 {
		js := s.JetStream(t)
		programs.Go(func() error { return EnsureStreams(t.Context(), js, want) })
	}
	if err := programs.Wait(); err != nil {
		t.Errorf("ensure: %v", err)
	}
	if kinds := topologyKinds(topologyPlan(t, s.JetStream(t), want...)); kinds[ChangeNone] != len(want) {
		t.Errorf("plan afterwards: got %v, want nothing to change", kinds)
	}
}

// liveEcho creates the streams of the agent echo, with one changed, and returns
// all as they are wanted.
func liveEcho(t *testing.T, js jetstream.JetStream, name string, change func(*jetstream.StreamConfig)) []jetstream.StreamConfig {
	t.Helper()
	want := topologyOf(t, "echo")
	for _, cfg := range want {
		if cfg.Name == name {
			change(&cfg)
			if _, err := js.CreateStream(t.Context(), cfg); err != nil {
				t.Fatalf("create %s: %v", name, err)
			}
		}
	}
	return want
}

func TestEnsureRefusesAStreamThatContradictsTheContract(t *testing.T) {
	type cfg = jetstream.StreamConfig
	const requests, results, dead, audit, leases = "GENESIS_REQUESTS_echo", "GENESIS_RESULTS", "GENESIS_DLQ", "GENESIS_AUDIT", "KV_genesis_leases"
	for _, tt := range []struct {
		name   string
		stream string
		change func(*cfg)
		want   []string // in the error
	}{
		{"a request that is taken back by age", requests, func(c *cfg) { c.MaxAge = time.Hour }, []string{"max_age is 1h0m0s, want unlimited"}},
		{"requests that are kept", requests, func(c *cfg) { c.Retention = jetstream.LimitsPolicy }, []string{"retention is Limits, want WorkQueue", "in place"}},
		{"requests in memory", requests, func(c *cfg) { c.Storage = jetstream.MemoryStorage }, []string{"storage is Memory, want File", "in place"}},
		{"the oldest requests removed", requests, func(c *cfg) { c.Discard = jetstream.DiscardOld }, []string{"discard is DiscardOld, want DiscardNew"}},
		{"no short form", requests, func(c *cfg) { c.Subjects = c.Subjects[1:] }, []string{"subjects is genesis.requests.echo.batch.*, "}},
		{"the short form stored as it is", requests, func(c *cfg) { c.SubjectTransform = nil }, []string{"subject_transform is none, want genesis.requests.echo -> "}},
		{"requests that expire", requests, func(c *cfg) { c.AllowMsgTTL = true }, []string{"allow_msg_ttl is true, want false", "in place"}},
		{"requests that a header can purge", requests, func(c *cfg) { c.AllowRollup = true }, []string{"allow_rollup_hdrs is true"}},
		{"one request a subject", requests, func(c *cfg) { c.MaxMsgsPerSubject = 1 }, []string{"max_msgs_per_subject is 1, want unlimited"}},
		{"no acknowledgement", requests, func(c *cfg) { c.NoAck, c.AllowAtomicPublish = true, false }, []string{"no_ack is true"}},
		{"no batches", requests, func(c *cfg) { c.AllowAtomicPublish = false }, []string{"allow_atomic is false"}},
		{"smaller requests", requests, func(c *cfg) { c.MaxMsgSize = 100 }, []string{"max_msg_size is 100, want 1114112"}},
		{"limits on consumers", requests, func(c *cfg) { c.ConsumerLimits.MaxAckPending = 5 }, []string{"consumer_limits is", "max_ack_pending"}},
		{"several results a request", results, func(c *cfg) { c.MaxMsgsPerSubject = 5 }, []string{"max_msgs_per_subject is 5, want 1"}},
		{"results that go too soon", results, func(c *cfg) { c.MaxAge = time.Hour }, []string{"max_age is 1h0m0s, want 24h0m0s"}},
		{"results that cannot be got directly", results, func(c *cfg) { c.AllowDirect = false }, []string{"allow_direct is false"}},
		{"dead letters that cannot be removed", dead, func(c *cfg) { c.DenyDelete = true }, []string{"deny_delete is true", "in place"}},
		{"an audit that can be removed", audit, func(c *cfg) { c.DenyDelete = false }, []string{"deny_delete is false, want true"}},
		{"leases that do not end", leases, func(c *cfg) { c.AllowMsgTTL, c.SubjectDeleteMarkerTTL = false, 0 }, []string{"allow_msg_ttl is false", "subject_delete_marker_ttl is none, want 1m0s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			js := bustest.Start(t, bustest.NoListen()).JetStream(t)
			want := liveEcho(t, js, tt.stream, tt.change)
			err := EnsureStreams(t.Context(), js, want)
			var ce *ConflictError
			if !errors.As(err, &ce) {
				t.Fatalf("ensure: got %v, want a ConflictError", err)
			}
			for _, part := range append(tt.want, tt.stream, "genesis streams plan") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("ensure: got %q, want it to contain %q", err, part)
				}
			}
			if got := ce.Conflicts[0].Stream; got != tt.stream {
				t.Errorf("stream in conflict: got %s, want %s", got, tt.stream)
			}
			if kinds := topologyKinds(topologyPlan(t, js, want...)); kinds[ChangeCreate] != len(want)-1 {
				t.Errorf("plan afterwards: got %v, want that nothing was created", kinds)
			}
		})
	}
}

func TestEnsureToleratesWhatIsTheOperatorsChoice(t *testing.T) {
	type cfg = jetstream.StreamConfig
	const requests, results, leases = "GENESIS_REQUESTS_echo", "GENESIS_RESULTS", "KV_genesis_leases"
	for _, tt := range []struct {
		name   string
		stream string
		change func(*cfg)
	}{
		{"fewer pending requests", requests, func(c *cfg) { c.MaxMsgs = 5 }},
		{"more pending requests", requests, func(c *cfg) { c.MaxMsgs = -1 }},
		{"a limit on bytes", results, func(c *cfg) { c.MaxBytes = 1 << 20 }},
		{"results kept for longer", results, func(c *cfg) { c.MaxAge = 48 * time.Hour }},
		{"results kept for ever", results, func(c *cfg) { c.MaxAge = 0 }},
		{"larger requests", requests, func(c *cfg) { c.MaxMsgSize = -1 }},
		{"compression", results, func(c *cfg) { c.Compression = jetstream.S2Compression }},
		{"a description and metadata", results, func(c *cfg) { c.Description, c.Metadata = "mine", map[string]string{"team": "a"} }},
		{"republishing", results, func(c *cfg) { c.RePublish = &jetstream.RePublish{Source: ">", Destination: "copy.>"} }},
		{"a longer duplicate window", results, func(c *cfg) { c.Duplicates = time.Hour }},
		{"more consumers", requests, func(c *cfg) { c.MaxConsumers = 100 }},
		{"batches where none are needed", leases, func(c *cfg) { c.AllowAtomicPublish, c.AllowBatchPublish = true, true }},
		{"markers that stay longer", leases, func(c *cfg) { c.SubjectDeleteMarkerTTL = time.Hour }},
		{"another order of subjects", requests, func(c *cfg) { slices.Reverse(c.Subjects) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			js := bustest.Start(t, bustest.NoListen()).JetStream(t)
			want := liveEcho(t, js, tt.stream, tt.change)
			if err := EnsureStreams(t.Context(), js, want); err != nil {
				t.Errorf("ensure: %v", err)
			}
			if kinds := topologyKinds(topologyPlan(t, js, want...)); kinds[ChangeCreate] != 0 {
				t.Errorf("plan afterwards: got %v, want that nothing is missing", kinds)
			}
		})
	}
}

func TestAStreamThatTakesOurSubjectsIsNamed(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EVERYTHING", Subjects: []string{"genesis.requests.>"}}); err != nil {
		t.Fatal(err)
	}
	want := topologyOf(t, "echo")
	for name, err := range map[string]error{
		"ensure": EnsureStreams(t.Context(), js, want),
		"apply":  func() error { _, err := ApplyStreams(t.Context(), js, want, ApplyOptions{Force: true}); return err }(),
	} {
		if _, ok := errors.AsType[*ConflictError](err); !ok {
			t.Fatalf("%s: got %v, want a ConflictError", name, err)
		}
		for _, part := range []string{"GENESIS_REQUESTS_echo", "EVERYTHING", "genesis.requests.>"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %q, want it to contain %q", name, err, part)
			}
		}
	}
	for _, c := range topologyPlan(t, js, want...) {
		if (c.Conflict != "") != (c.Stream == "GENESIS_REQUESTS_echo") {
			t.Errorf("plan of %s: got conflict %q", c.Stream, c.Conflict)
		}
	}
}

func TestEnsureChecksTheStreamThatAnotherProgramHasJustCreated(t *testing.T) {
	want := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxMsgsPerSubject: 1}
	for _, tt := range []struct {
		name   string
		change func(*jetstream.StreamConfig)
		ok     bool
	}{
		{"as it would itself", func(*jetstream.StreamConfig) {}, true},
		{"with a limit of the operator's", func(c *jetstream.StreamConfig) { c.MaxBytes = 1000 }, true},
		{"against the contract", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 2 }, false},
	} {
		js := bustest.Start(t, bustest.NoListen()).JetStream(t)
		live := want
		tt.change(&live)
		if _, err := js.CreateStream(t.Context(), live); err != nil {
			t.Fatal(err)
		}
		err := ensureCreated(t.Context(), js, normalizedStream(want))
		var ce *ConflictError
		if (err == nil) != tt.ok || !tt.ok && !errors.As(err, &ce) {
			t.Errorf("created %s: got %v, want ok=%v", tt.name, err, tt.ok)
		}
	}
}

func TestAThousandAgentsArePlannedInAFewQuestions(t *testing.T) {
	s := bustest.Start(t)
	js := s.JetStream(t)
	var agents []string
	for i := range 1000 {
		agents = append(agents, fmt.Sprintf("agent-%d", i))
	}
	want := topologyOf(t, agents...)
	for i := range want {
		want[i].Storage = jetstream.MemoryStorage // a thousand directories only take time
	}
	if err := EnsureStreams(t.Context(), js, want); err != nil {
		t.Fatalf("ensure: %v", err)
	}
	var mu sync.Mutex
	asked := make(map[string]int)
	spy := s.Connect(t)
	if _, err := spy.Subscribe("$JS.API.>", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		asked[m.Subject]++
	}); err != nil {
		t.Fatal(err)
	}
	if err := spy.Flush(); err != nil {
		t.Fatal(err)
	}
	if kinds := topologyKinds(topologyPlan(t, js, want...)); kinds[ChangeNone] != len(want) {
		t.Errorf("plan: got %v, want nothing to change", kinds)
	}
	if err := spy.Flush(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	questions := 0
	for _, n := range asked {
		questions += n
	}
	if questions == 0 || questions > 10 {
		t.Errorf("questions asked of the server: got %d (%v), want 1 to 10", questions, asked)
	}
}
