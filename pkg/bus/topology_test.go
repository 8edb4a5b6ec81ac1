package bus

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus/bustest"
	"genesis/streams"
)

// topologyOf loads the streams of the agents.
func topologyOf(t *testing.T, agents ...string) []jetstream.StreamConfig {
	t.Helper()
	o := streams.Options{Agents: make(map[string]streams.AgentOptions)}
	for _, a := range agents {
		o.Agents[a] = streams.AgentOptions{}
	}
	all, err := streams.Load(o)
	if err != nil {
		t.Fatalf("load streams: %v", err)
	}
	return all
}

// topologyKinds counts the kinds of changes.
func topologyKinds(changes []Change) map[ChangeKind]int {
	kinds := make(map[ChangeKind]int)
	for _, c := range changes {
		kinds[c.Kind]++
	}
	return kinds
}

// topologyPlan plans and fails the test on an error.
func topologyPlan(t *testing.T, js jetstream.JetStream, want ...jetstream.StreamConfig) []Change {
	t.Helper()
	changes, err := PlanStreams(t.Context(), js, want)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return changes
}

func TestTopologyHasARuleForEverySettingOfAStream(t *testing.T) {
	var got, want []string
	for _, f := range streamFields() {
		got = append(got, f.name)
	}
	for setting := range reflect.TypeFor[jetstream.StreamConfig]().Fields() {
		key, _, _ := strings.Cut(setting.Tag.Get("json"), ",")
		if key != "name" && key != "template_owner" { // what it is about; what the server dropped
			want = append(want, key)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("settings with rules: got\n%q, the client has\n%q", got, want)
	}
}

func TestTopologyAppliedTwiceChangesNothing(t *testing.T) {
	s := bustest.Start(t)
	js := s.JetStream(t)
	want := topologyOf(t, "echo", "probe")

	changes := topologyPlan(t, js, want...)
	if kinds := topologyKinds(changes); kinds[ChangeCreate] != len(want) {
		t.Fatalf("plan on an empty server: got %v, want %d to create", kinds, len(want))
	}
	for i, c := range changes {
		if c.Stream != want[i].Name || c.Danger != "" || c.Conflict != "" || len(c.Fields) != 0 {
			t.Errorf("change %d: got %+v, want a plain creation of %s", i, c, want[i].Name)
		}
	}
	if _, err := js.Stream(t.Context(), want[0].Name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("after the plan: got %v, want that nothing was created", err)
	}
	changes, err := ApplyStreams(t.Context(), js, want, ApplyOptions{})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if kinds := topologyKinds(changes); kinds[ChangeCreate] != len(want) {
		t.Errorf("applied: got %v, want %d created", kinds, len(want))
	}
	for _, when := range []string{"at once", "after a restart of the server"} {
		if when != "at once" {
			s.Restart(t)
			js = s.JetStream(t)
		}
		changes, err := ApplyStreams(t.Context(), js, want, ApplyOptions{})
		if err != nil {
			t.Fatalf("apply again %s: %v", when, err)
		}
		for _, c := range changes {
			if c.Kind != ChangeNone || len(c.Fields) != 0 {
				t.Errorf("apply again %s: got %+v, want no change", when, c)
			}
		}
		if err := EnsureStreams(t.Context(), js, want); err != nil {
			t.Errorf("ensure %s: %v", when, err)
		}
	}
}

func TestTopologyFillsInWhatTheServerWould(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	want := []jetstream.StreamConfig{
		{Name: "BARE"},
		{Name: "AGED", Subjects: []string{"b", "a"}, MaxAge: time.Minute},
		{Name: "MARKED", Subjects: []string{"m"}, SubjectDeleteMarkerTTL: time.Second, DenyPurge: true},
		{Name: "SCHEDULED", Subjects: []string{"s"}, AllowMsgSchedules: true},
		{Name: "PLACED", Subjects: []string{"p"}, Placement: &jetstream.Placement{}},
		{Name: "REPUBLISHED", Subjects: []string{"r"}, RePublish: &jetstream.RePublish{Destination: "again.>"}},
		{Name: "LIMITED", Subjects: []string{"l"}, MaxMsgs: -7, MaxBytes: -7, MaxMsgsPerSubject: -7, MaxMsgSize: -7, MaxConsumers: -7},
	}
	if _, err := ApplyStreams(t.Context(), js, want, ApplyOptions{}); err != nil {
		t.Fatalf("apply: %v", err)
	}
	for _, c := range topologyPlan(t, js, want...) {
		if c.Kind != ChangeNone {
			t.Errorf("plan after apply: got %+v, want no change", c)
		}
	}
	if want[1].Subjects[0] != "b" {
		t.Errorf("the caller's subjects were changed: %q", want[1].Subjects)
	}
}

func TestTopologyUpdatesBeforeItCreates(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	old := jetstream.StreamConfig{Name: "OLD", Subjects: []string{"a", "b"}}
	if _, err := js.CreateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	want := []jetstream.StreamConfig{{Name: "NEW", Subjects: []string{"b"}}, {Name: "OLD", Subjects: []string{"a"}}}
	changes, err := ApplyStreams(t.Context(), js, want, ApplyOptions{Force: true})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if changes[0].Kind != ChangeCreate || changes[1].Kind != ChangeUpdate {
		t.Errorf("changes: got %+v, want them in the order wanted", changes)
	}
}

func TestTopologyReportsWhatWasMadeBeforeAnError(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	want := []jetstream.StreamConfig{{Name: "ONE"}, {Name: "THREE", Replicas: 3}, {Name: "TWO"}}
	changes, err := ApplyStreams(t.Context(), js, want, ApplyOptions{})
	if err == nil || !strings.Contains(err.Error(), "THREE") || !strings.Contains(err.Error(), "nats.replicas") {
		t.Errorf("three replicas on one server: got %v, want an error with THREE and nats.replicas", err)
	}
	if len(changes) != 1 || changes[0].Stream != "ONE" {
		t.Errorf("changes made: got %+v, want ONE", changes)
	}
}

func TestTopologyNeedsEachNameOnce(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	want := []jetstream.StreamConfig{{Name: "ONE"}, {Name: "ONE"}}
	if _, err := PlanStreams(t.Context(), js, want); err == nil || !strings.Contains(err.Error(), "ONE") {
		t.Errorf("plan: got %v, want an error that names ONE", err)
	}
}

func TestTopologyStopsWithItsContext(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PlanStreams(ctx, js, topologyOf(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("plan: got %v, want %v", err, context.Canceled)
	}
	if err := EnsureStreams(ctx, js, topologyOf(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("ensure: got %v, want %v", err, context.Canceled)
	}
}

func TestTopologyWarnsOfFewerReplicas(t *testing.T) {
	live := &jetstream.StreamInfo{Config: jetstream.StreamConfig{Name: "S", Replicas: 3}}
	for _, tt := range []struct {
		replicas int
		kind     ChangeKind
		warning  string
	}{{1, ChangeUpdate, "1 replicas instead of 3"}, {3, ChangeNone, ""}, {5, ChangeUpdate, ""}} {
		got := planStep(streamFields(), live, jetstream.StreamConfig{Name: "S", Replicas: tt.replicas})
		if c := got.change; c.Kind != tt.kind || c.Danger != "" || !strings.Contains(c.Warning, tt.warning) || (c.Warning == "") != (tt.warning == "") {
			t.Errorf("%d replicas: got %+v, want %s with warning %q", tt.replicas, c, tt.kind, tt.warning)
		}
		if err := contradictions(got.live, &got.target); len(err) != 0 {
			t.Errorf("%d replicas: got conflicts %v, want none", tt.replicas, err)
		}
	}
}

func TestTopologyKeepsAPlacement(t *testing.T) {
	placement := &jetstream.Placement{Tags: []string{"ssd"}}
	live := &jetstream.StreamInfo{Config: jetstream.StreamConfig{Name: "S", Placement: placement}}
	got := planStep(streamFields(), live, jetstream.StreamConfig{Name: "S"})
	if got.change.Kind != ChangeNone || got.target.Placement != placement {
		t.Errorf("got %+v with placement %v, want no change", got.change, got.target.Placement)
	}
}

func TestTopologyNoticesWhatTheServerDidNotDo(t *testing.T) {
	js := bustest.Start(t, bustest.NoListen()).JetStream(t)
	target := normalizedStream(jetstream.StreamConfig{Name: "S"})
	target.Duplicates = 0 // the server makes it 2 m
	s := streamStep{change: Change{Stream: "S", Kind: ChangeCreate}, target: target}
	if err := s.apply(t.Context(), js); err == nil || !strings.Contains(err.Error(), "duplicate_window at 2m0s") {
		t.Errorf("apply: got %v, want an error about duplicate_window", err)
	}
}
