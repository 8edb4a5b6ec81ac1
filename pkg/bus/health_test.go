package bus_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
)

func TestAHealthEventIsACloudEventOfTheWireContract(t *testing.T) {
	lag, age, arrival, service := uint64(1200), 75.5, 12.25, 0.0
	back := time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("x", 3600))
	for _, tt := range []struct {
		name  string
		event bus.HealthEvent
		want  string
	}{
		{
			"with all figures",
			bus.HealthEvent{
				ID: "e1", Time: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC), Component: bus.Component{Kind: bus.KindAgent, Name: "echo"},
				Data: bus.HealthData{
					State: bus.StateDegraded, Previous: bus.StateHealthy, Reason: "lag 1200", Lag: &lag, OldestAge: &age,
					ArrivalRate: &arrival, ServiceRate: &service, EstimatedRecovery: &back, AffectedServices: []string{"echo"},
				},
			},
			`{"specversion":"1.0","id":"e1","source":"/genesis/monitor","type":"genesis.health.degraded","subject":"agent/echo","time":"2030-01-02T03:04:05.000006Z","datacontenttype":"application/json",` +
				`"data":{"state":"degraded","previous":"healthy","reason":"lag 1200","lag":1200,"oldest_age_s":75.5,"arrival_rate":12.25,"service_rate":0,"estimated_recovery":"2030-01-02T03:04:05+01:00","affected_services":["echo"]}}`,
		},
		{
			"with none",
			bus.HealthEvent{ID: "e2", Time: back, Component: bus.Component{Kind: bus.KindDependency, Name: "nats"}, Data: bus.HealthData{State: bus.StateHealthy, Previous: bus.StateUnhealthy}},
			`{"specversion":"1.0","id":"e2","source":"/genesis/monitor","type":"genesis.health.recovered","subject":"dependency/nats","time":"2030-01-02T02:04:05Z","datacontenttype":"application/json",` +
				`"data":{"state":"healthy","previous":"unhealthy","reason":"","lag":null,"oldest_age_s":null,"arrival_rate":null,"service_rate":null,"estimated_recovery":null,"affected_services":[]}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.event)
			if err != nil || string(text) != tt.want {
				t.Fatalf("marshal: got %s, %v\nwant %s", text, err, tt.want)
			}
			var back bus.HealthEvent
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatalf("unmarshal %s: %v", text, err)
			}
			if again, err := json.Marshal(back); err != nil || string(again) != tt.want {
				t.Errorf("there and back: got %s, %v\nwant %s", again, err, tt.want)
			}
			if !back.Time.Equal(tt.event.Time) || back.Component != tt.event.Component || back.ID != tt.event.ID {
				t.Errorf("read back: got %+v, want %+v", back, tt.event)
			}
		})
	}
}

func TestEachStateHasItsTypeAndRank(t *testing.T) {
	for i, tt := range []struct {
		state bus.HealthState
		want  string
	}{
		{bus.StateHealthy, "genesis.health.recovered"},
		{bus.StateDegraded, "genesis.health.degraded"},
		{bus.StateUnhealthy, "genesis.health.unhealthy"},
	} {
		e := bus.HealthEvent{Data: bus.HealthData{State: tt.state}}
		if got := e.Type(); got != tt.want {
			t.Errorf("type of %s: got %s, want %s", tt.state, got, tt.want)
		}
		if got := tt.state.Rank(); got != i {
			t.Errorf("rank of %s: got %d, want %d", tt.state, got, i)
		}
	}
	if got := bus.HealthState("odd").Rank(); got != 0 {
		t.Errorf("rank of an unknown state: got %d, want 0", got)
	}
}

func TestAComponentIsReadAsItIsWritten(t *testing.T) {
	for _, kind := range bus.HealthKinds() {
		for _, name := range []string{"echo", "a/b", "ü.*>", " "} {
			want := bus.Component{Kind: kind, Name: name}
			if got, err := bus.ParseComponent(want.String()); err != nil || got != want {
				t.Errorf("component %q: got %+v, %v", want, got, err)
			}
		}
	}
	for _, text := range []string{"", "agent", "agent/", "/x", "planet/earth", "Agent/x"} {
		if got, err := bus.ParseComponent(text); !errors.Is(err, bus.ErrInvalid) {
			t.Errorf("component %q: got %+v, %v, want invalid", text, got, err)
		}
	}
}

func TestASubjectHasOneTokenForAnyName(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"echo", "a.b", "a b", "*", ">", "a=2Eb", "ü", "\x00", "="} {
		got := bus.HealthSubject(bus.Component{Kind: bus.KindWorker, Name: name})
		if !strings.HasPrefix(got, "genesis.health.worker.") || strings.Count(got, ".") != 3 || strings.ContainsAny(got, " *>") {
			t.Errorf("subject of %q: got %q, want one token after the kind", name, got)
		}
		if other, twice := seen[got]; twice {
			t.Errorf("subject %q is that of %q and of %q", got, other, name)
		}
		seen[got] = name
	}
}

func TestWhatIsNoHealthEventIsRefused(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `"x"`,
		`{"specversion":"0.3","type":"genesis.health.degraded","subject":"agent/a"}`,
		`{"specversion":"1.0","type":"com.example.other","subject":"agent/a"}`,
		`{"specversion":"1.0","type":"genesis.health.degraded","subject":"planet/earth"}`,
		`{"specversion":"1.0","type":"genesis.health.degraded","subject":"agent/a","time":"yesterday"}`,
		`{"specversion":"1.0","type":"genesis.health.degraded","subject":"agent/a","data":{"lag":-1}}`,
	} {
		var e bus.HealthEvent
		if err := json.Unmarshal([]byte(text), &e); err == nil {
			t.Errorf("%s: got %+v, want an error", text, e)
		}
	}
}

func FuzzAHealthEventIsReadAsItIsWritten(f *testing.F) {
	for _, text := range []string{
		`{"specversion":"1.0","id":"1","source":"/x","type":"genesis.health.degraded","subject":"agent/echo","time":"2030-01-02T03:04:05Z","data":{"state":"degraded","lag":3,"affected_services":["a"],"more":1},"more":{}}`,
		`{"specversion":"1.0","type":"genesis.health.recovered","subject":"stream/a/b"}`,
		`{"specversion":"1.0","type":"genesis.health.","subject":"worker/\ud800","time":"9999-12-31T23:59:59-01:00"}`,
		`null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second bus.HealthEvent
		if err := json.Unmarshal(text, &first); err != nil {
			return
		}
		if _, err := bus.ParseComponent(first.Component.String()); err != nil {
			t.Fatalf("component of %q: %v", text, err)
		}
		written, err := json.Marshal(first)
		if err != nil {
			return // a time that has no year of four digits in UTC
		}
		if err := json.Unmarshal(written, &second); err != nil {
			t.Fatalf("%q was read, but not as it was written, %s: %v", text, written, err)
		}
		again, err := json.Marshal(second)
		if err != nil || string(again) != string(written) {
			t.Errorf("%q: got %s, %v, want %s", text, again, err, written)
		}
		first.Data.AffectedServices, second.Data.AffectedServices = nil, nil // nil becomes empty
		if first.ID != second.ID || first.Component != second.Component || !reflect.DeepEqual(first.Data, second.Data) {
			t.Errorf("%q: got %+v, want %+v", text, second, first)
		}
	})
}
