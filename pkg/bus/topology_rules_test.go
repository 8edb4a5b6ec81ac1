package bus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus/bustest"
)

// A topologyRule is a change and what is to become of it.
type topologyRule struct {
	name       string
	live, want jetstream.StreamConfig // Name and, if there are none, Subjects are filled in

	field    string // the setting that changes; "" is none
	danger   string // part of the reason; "" is safe
	warning  string
	conflict string

	publish int    // messages in the stream before
	left    uint64 // messages in the stream after, when it was forced
}

func (r *topologyRule) run(t *testing.T) {
	t.Helper()
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	// Each rule has a stream of its own on a server of its own: a name that is
	// deleted and created again too quickly gets its old messages back.
	for _, c := range []*jetstream.StreamConfig{&r.live, &r.want} {
		c.Name = "RULE"
		if len(c.Subjects) == 0 {
			c.Subjects = []string{"rule.*"}
		}
	}
	if _, err := js.CreateStream(t.Context(), r.live); err != nil {
		t.Fatalf("create the live stream: %v", err)
	}
	for range r.publish {
		if _, err := js.Publish(t.Context(), "rule.a", []byte("hello")); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	before := topologyPlan(t, js, r.want)[0]
	fields := ""
	for _, f := range before.Fields {
		fields += f.Field + ": " + f.From + " -> " + f.To + "; "
	}
	if r.field == "" && before.Kind != ChangeNone || r.field != "" && !strings.Contains(fields, r.field+": ") {
		t.Errorf("fields: got %q, want %q", fields, r.field)
	}
	for _, text := range [][3]string{
		{"danger", before.Danger, r.danger}, {"warning", before.Warning, r.warning}, {"conflict", before.Conflict, r.conflict},
	} {
		if (text[1] == "") != (text[2] == "") || !strings.Contains(text[1], text[2]) {
			t.Errorf("%s: got %q, want it to contain %q", text[0], text[1], text[2])
		}
	}
	r.apply(t, js, before)
}

// apply makes the change, first without force.
func (r *topologyRule) apply(t *testing.T, js jetstream.JetStream, before Change) {
	t.Helper()
	unchanged := func(when string) {
		t.Helper()
		if got := topologyPlan(t, js, r.want)[0]; got.Danger != before.Danger || len(got.Fields) != len(before.Fields) {
			t.Errorf("plan after %s: got %+v, want as before: %+v", when, got, before)
		}
	}
	want := []jetstream.StreamConfig{r.want}
	_, err := ApplyStreams(t.Context(), js, want, ApplyOptions{})
	if r.conflict != "" {
		var ce *ConflictError
		if !errors.As(err, &ce) || !ce.Conflicts[0].Fixed {
			t.Errorf("apply: got %v, want a ConflictError about what is fixed", err)
		}
		if _, err := ApplyStreams(t.Context(), js, want, ApplyOptions{Force: true}); !errors.As(err, &ce) {
			t.Errorf("apply with force: got %v, want a ConflictError", err)
		} else if !strings.Contains(err.Error(), "RULE") || !strings.Contains(err.Error(), "cannot be changed in place") {
			t.Errorf("apply with force: got %q, want it to name RULE and to say what to do", err)
		}
		unchanged("a conflict")
		return
	}
	if r.danger != "" {
		if _, ok := errors.AsType[*DangerError](err); !ok {
			t.Fatalf("apply: got %v, want a DangerError", err)
		}
		for _, part := range []string{"RULE", r.danger, "--force"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("apply: got %q, want it to contain %q", err, part)
			}
		}
		unchanged("a refusal")
		_, err = ApplyStreams(t.Context(), js, want, ApplyOptions{Force: true})
	}
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if got := topologyPlan(t, js, r.want)[0]; got.Kind != ChangeNone {
		t.Errorf("plan after apply: got %+v, want no change", got)
	}
	stream, err := js.Stream(t.Context(), "RULE")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != r.left {
		t.Errorf("messages after: got %d of %d, want %d", got, r.publish, r.left)
	}
}

func TestTopologyRefusesWhatCouldLoseMessages(t *testing.T) {
	type cfg = jetstream.StreamConfig
	const (
		old   = jetstream.DiscardOld
		fresh = jetstream.DiscardNew
	)
	for _, r := range []topologyRule{
		{name: "fewer messages, the oldest discarded", live: cfg{MaxMsgs: 10}, want: cfg{MaxMsgs: 2}, field: "max_msgs", danger: "max_msgs 2 instead of 10", publish: 5, left: 2},
		{name: "a limit where there was none", live: cfg{}, want: cfg{MaxMsgs: 2}, field: "max_msgs", danger: "instead of unlimited", publish: 5, left: 2},
		{name: "fewer messages although none is there", live: cfg{MaxMsgs: 10}, want: cfg{MaxMsgs: 2}, field: "max_msgs", danger: "holds 0 messages"},
		{name: "fewer messages, new ones refused: nothing is removed", live: cfg{MaxMsgs: 10, Discard: fresh}, want: cfg{MaxMsgs: 2, Discard: fresh}, field: "max_msgs", warning: "refuses new messages", publish: 5, left: 5},
		{name: "more messages", live: cfg{MaxMsgs: 2}, want: cfg{MaxMsgs: 10}, field: "max_msgs"},
		{name: "fewer bytes, the oldest discarded", live: cfg{MaxBytes: 1000}, want: cfg{MaxBytes: 100}, field: "max_bytes", danger: "max_bytes 100 instead of 1000", publish: 5, left: 2},
		{name: "fewer bytes, new ones refused: nothing is removed", live: cfg{MaxBytes: 1000, Discard: fresh}, want: cfg{MaxBytes: 100, Discard: fresh}, field: "max_bytes", warning: "refuses new messages", publish: 5, left: 5},
		{name: "a shorter age", live: cfg{MaxAge: 2 * time.Hour}, want: cfg{MaxAge: time.Hour}, field: "max_age", danger: "max_age 1h0m0s instead of 2h0m0s", publish: 1, left: 1},
		{name: "an age where there was none", live: cfg{}, want: cfg{MaxAge: time.Hour}, field: "max_age", danger: "instead of unlimited"},
		{name: "a longer age", live: cfg{MaxAge: time.Hour}, want: cfg{MaxAge: 2 * time.Hour}, field: "max_age"},
		{name: "no age any more", live: cfg{MaxAge: time.Hour}, want: cfg{}, field: "max_age"},
		{name: "fewer a subject", live: cfg{MaxMsgsPerSubject: 5}, want: cfg{MaxMsgsPerSubject: 1}, field: "max_msgs_per_subject", danger: "max_msgs_per_subject 1 instead of 5", publish: 5, left: 1},
		{name: "fewer a subject, new ones refused: removed all the same", live: cfg{MaxMsgsPerSubject: 5, Discard: fresh, DiscardNewPerSubject: true}, want: cfg{MaxMsgsPerSubject: 1, Discard: fresh, DiscardNewPerSubject: true}, field: "max_msgs_per_subject", danger: "max_msgs_per_subject 1", publish: 5, left: 1},
		{name: "more a subject", live: cfg{MaxMsgsPerSubject: 1}, want: cfg{MaxMsgsPerSubject: 5}, field: "max_msgs_per_subject"},
		{name: "the oldest discarded instead of new ones", live: cfg{MaxMsgs: 5, Discard: fresh}, want: cfg{MaxMsgs: 5, Discard: old}, field: "discard", danger: "remove its oldest"},
		{name: "new ones refused instead of the oldest removed", live: cfg{MaxMsgs: 5, Discard: old}, want: cfg{MaxMsgs: 5, Discard: fresh}, field: "discard"},
		{name: "a full subject loses its oldest", live: cfg{MaxMsgsPerSubject: 5, Discard: fresh, DiscardNewPerSubject: true}, want: cfg{MaxMsgsPerSubject: 5, Discard: fresh}, field: "discard_new_per_subject", danger: "full subject"},
		{name: "a subject less", live: cfg{Subjects: []string{"rule.*", "more.a"}}, want: cfg{}, field: "subjects", danger: "published to more.a", publish: 2, left: 2},
		{name: "a narrower subject", live: cfg{}, want: cfg{Subjects: []string{"rule.a"}}, field: "subjects", danger: "published to rule.*"},
		{name: "a wider subject", live: cfg{}, want: cfg{Subjects: []string{"rule.>"}}, field: "subjects"},
		{name: "another order of subjects", live: cfg{Subjects: []string{"rule.*", "more.a"}}, want: cfg{Subjects: []string{"more.a", "rule.*"}}},
		{name: "no answers for publishers", live: cfg{}, want: cfg{NoAck: true}, field: "no_ack", danger: "learn whether"},
		{name: "a source less", live: cfg{Sources: []*jetstream.StreamSource{{Name: "ELSE"}}}, want: cfg{}, field: "sources", danger: "messages of ELSE"},
		{name: "only what consumers wait for", live: cfg{}, want: cfg{Retention: jetstream.InterestPolicy}, field: "retention", danger: "no consumer"},
		{name: "smaller messages", live: cfg{MaxMsgSize: 10}, want: cfg{MaxMsgSize: 5}, field: "max_msg_size", warning: "more than 5 bytes are refused", publish: 1, left: 1},
		{name: "what cannot be taken back", live: cfg{}, want: cfg{AllowMsgTTL: true}, field: "allow_msg_ttl", warning: "cannot be switched off"},
		{name: "a transform", live: cfg{}, want: cfg{SubjectTransform: &jetstream.SubjectTransformConfig{Source: "rule.*", Destination: "r.{{wildcard(1)}}"}}, field: "subject_transform"},
		{name: "abilities", live: cfg{}, want: cfg{AllowDirect: true, AllowAtomicPublish: true, AllowRollup: true}, field: "allow_atomic"},
	} {
		t.Run(r.name, func(t *testing.T) { r.run(t) })
	}
}

func TestTopologyLeavesWhatCannotBeChangedInPlace(t *testing.T) {
	type cfg = jetstream.StreamConfig
	for _, r := range []topologyRule{
		{name: "limits to work queue", live: cfg{}, want: cfg{Retention: jetstream.WorkQueuePolicy}, field: "retention", conflict: "retention is Limits, want WorkQueue"},
		{name: "work queue to limits", live: cfg{Retention: jetstream.WorkQueuePolicy}, want: cfg{}, field: "retention", conflict: "retention is WorkQueue"},
		{name: "memory to file", live: cfg{Storage: jetstream.MemoryStorage}, want: cfg{}, field: "storage", conflict: "storage is Memory, want File"},
		{name: "deletes allowed again", live: cfg{DenyDelete: true}, want: cfg{}, field: "deny_delete", conflict: "deny_delete is true, want false"},
		{name: "purges allowed again", live: cfg{DenyPurge: true}, want: cfg{}, field: "deny_purge", conflict: "deny_purge is true"},
		{name: "no TTLs any more", live: cfg{AllowMsgTTL: true}, want: cfg{}, field: "allow_msg_ttl", conflict: "allow_msg_ttl is true"},
		{name: "no schedules any more", live: cfg{AllowMsgSchedules: true}, want: cfg{AllowRollup: true}, field: "allow_msg_schedules", conflict: "allow_msg_schedules is true"},
		{name: "a counter", live: cfg{}, want: cfg{AllowMsgCounter: true}, field: "allow_msg_counter", conflict: "allow_msg_counter is false"},
		{name: "written to the disk later", live: cfg{PersistMode: jetstream.AsyncPersistMode}, want: cfg{}, field: "persist_mode", conflict: "persist_mode is"},
	} {
		t.Run(r.name, func(t *testing.T) { r.run(t) })
	}
	t.Run("a mirror", func(t *testing.T) {
		js := bustest.Start(t, bustest.NoListen()).JetStream(t)
		if _, err := js.CreateStream(t.Context(), cfg{Name: "MIRROR", Mirror: &jetstream.StreamSource{Name: "ELSE"}}); err != nil {
			t.Fatal(err)
		}
		if got := topologyPlan(t, js, cfg{Name: "MIRROR", Subjects: []string{"m"}})[0]; !strings.Contains(got.Conflict, "mirror is") {
			t.Errorf("conflict: got %q, want the mirror", got.Conflict)
		}
	})
}

func TestTopologyKeepsWhatItLeavesToTheOperator(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	want := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxAge: time.Hour, Metadata: map[string]string{"ours": "new"}}
	live := want
	live.MaxAge = time.Minute // the change that is made
	live.MaxMsgs, live.MaxBytes = 100, 1000
	live.Compression = jetstream.S2Compression
	live.Description = "mine"
	live.FirstSeq = 7
	live.RePublish = &jetstream.RePublish{Source: ">", Destination: "again.>"}
	live.Metadata = map[string]string{"ours": "old", "team": "a"}
	if _, err := js.CreateStream(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	changes, err := ApplyStreams(t.Context(), js, []jetstream.StreamConfig{want}, ApplyOptions{})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	var fields []string
	for _, f := range changes[0].Fields {
		fields = append(fields, f.Field)
	}
	if got := strings.Join(fields, " "); !strings.Contains(got, "max_age") || !strings.Contains(got, "metadata") {
		t.Errorf("fields: got %q, want max_age and metadata", got)
	}
	stream, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	got := stream.CachedInfo().Config
	if got.MaxAge != time.Hour || got.MaxMsgs != 100 || got.MaxBytes != 1000 || got.Compression != jetstream.S2Compression ||
		got.Description != "mine" || got.RePublish == nil || got.Metadata["team"] != "a" || got.Metadata["ours"] != "new" {
		t.Errorf("after apply: got %+v, want max_age 1h, metadata ours=new, and the rest as it was", got)
	}
}
