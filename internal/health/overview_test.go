package health

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"genesis/pkg/bus"
)

func ill(c string, state bus.HealthState, recovery time.Duration, affects ...string) Standing {
	component, err := bus.ParseComponent(c)
	if err != nil {
		panic(err)
	}
	s := Standing{Component: component, State: state, Since: noon(), Reason: "because of " + component.Name, Affects: affects}
	if recovery > 0 {
		at := noon().Add(recovery)
		s.EstimatedRecovery = &at
	}
	return s
}

func TestAnOverviewOfASystemThatIsWell(t *testing.T) {
	standings := []Standing{ill("agent/echo", bus.StateHealthy, 0, "echo")}
	text, err := json.Marshal(NewOverview(standings, noon(), 30*time.Second, "abc"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"status":"healthy","message":"all systems are operational","affected_services":[],"estimated_recovery":null,` +
		`"round":"2026-11-23T12:00:00Z","interval":30,"components":[],"more":0,"config":"abc"}`
	if got := string(text); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAnOverviewOfASystemThatIsNot(t *testing.T) {
	for _, tt := range []struct {
		promise, message string
		standings        []Standing
		affected         []string
		recovery         time.Duration // 0: nobody can tell
		components       []string      // in order
	}{
		{
			"one is ill", "agent echo is degraded: because of echo",
			[]Standing{ill("agent/echo", bus.StateDegraded, time.Minute, "echo"), ill("agent/probe", bus.StateHealthy, 0, "probe")},
			[]string{"echo"},
			time.Minute,
			[]string{"agent/echo"},
		},
		{
			"the worst is named, and it is over when the last is",
			"agent probe is unhealthy: because of probe; 2 more components are not healthy",
			[]Standing{
				ill("agent/echo", bus.StateDegraded, time.Hour, "echo"), ill("agent/probe", bus.StateUnhealthy, time.Minute, "probe"),
				ill("breaker/model", bus.StateDegraded, time.Second, "echo", "zeta"),
			},
			[]string{"echo", "probe", "zeta"},
			time.Hour,
			[]string{"agent/probe", "agent/echo", "breaker/model"},
		},
		{
			"nobody can tell of one, so of the whole", "dependency nats is unhealthy: because of nats; one more component is not healthy",
			[]Standing{ill("agent/echo", bus.StateUnhealthy, time.Minute, "echo"), ill("dependency/nats", bus.StateUnhealthy, 0, "echo", "probe")},
			[]string{"echo", "nats", "probe"},
			0,
			[]string{"dependency/nats", "agent/echo"},
		},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			o := NewOverview(tt.standings, noon(), time.Second, "abc")
			if o.Status != StatusDegraded || o.Message != tt.message {
				t.Errorf("got %s, %q, want degraded, %q", o.Status, o.Message, tt.message)
			}
			if !reflect.DeepEqual(o.AffectedServices, tt.affected) {
				t.Errorf("affected: got %v, want %v", o.AffectedServices, tt.affected)
			}
			want := noon().Add(tt.recovery)
			if o.EstimatedRecovery != nil && (tt.recovery == 0 || !o.EstimatedRecovery.Equal(want)) || o.EstimatedRecovery == nil && tt.recovery > 0 {
				t.Errorf("recovery: got %v, want after %v", o.EstimatedRecovery, tt.recovery)
			}
			var got []string
			for _, c := range o.Components {
				got = append(got, c.Component)
			}
			if !reflect.DeepEqual(got, tt.components) || o.More != 0 {
				t.Errorf("components: got %v and %d more, want %v", got, o.More, tt.components)
			}
		})
	}
}

func TestAnOverviewIsBounded(t *testing.T) {
	var all []Standing
	for i := range 1000 {
		name := fmt.Sprintf("agent-%04d", i)
		all = append(all, ill("agent/"+name, bus.StateUnhealthy, 0, name))
	}
	o := NewOverview(all, noon(), time.Second, "abc")
	if len(o.Components) != 100 || o.More != 900 || len(o.AffectedServices) != 100 {
		t.Errorf("a thousand are ill: got %d components, %d more, %d affected, want 100, 900, 100", len(o.Components), o.More, len(o.AffectedServices))
	}
	if got, want := o.Components[99].Component, "agent/agent-0099"; got != want {
		t.Errorf("the last one shown: got %s, want %s", got, want)
	}
}

func TestAnOverviewIsOfWhatAWatchStandsBy(t *testing.T) {
	d := newDesk(DefaultThresholds())
	d.plays("hcc", letters())
	o := NewOverview(d.w.Standings(), noon(), 30*time.Second, "abc")
	want := "agent echo is unhealthy: no worker serves it; nothing waits"
	if o.Message != want || !reflect.DeepEqual(o.AffectedServices, []string{"echo"}) {
		t.Errorf("got %q, affected %v, want %q, [echo]", o.Message, o.AffectedServices, want)
	}
}

func TestALostWorkerWhoseAgentsAreServedIsNoHarm(t *testing.T) {
	alone := NewOverview([]Standing{ill("worker/w1", bus.StateUnhealthy, 0)}, noon(), time.Second, "abc")
	if alone.Status != StatusHealthy || len(alone.Components) != 1 || alone.Message != "all agents are served; worker w1 is unhealthy: because of w1" {
		t.Errorf("the agents are served: got %s, %q and %d components, want healthy, the worker named", alone.Status, alone.Message, len(alone.Components))
	}
	missed := NewOverview([]Standing{ill("worker/w1", bus.StateUnhealthy, 0, "echo")}, noon(), time.Second, "abc")
	if missed.Status != StatusDegraded {
		t.Errorf("echo is not served: got %s, want degraded", missed.Status)
	}
	beside := NewOverview([]Standing{ill("worker/w1", bus.StateUnhealthy, 0), ill("agent/echo", bus.StateDegraded, time.Minute, "echo")}, noon(), time.Second, "abc")
	if beside.EstimatedRecovery == nil {
		t.Error("the recovery of what hurts: got none, want that of echo")
	}
}
