//go:build faults

package crash

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"genesis/pkg/bus"
)

// takeover is within which time another monitor leads after one was killed.
const takeover = 5 * time.Second

func (s *system) startMonitor(fault string) *process {
	s.t.Helper()
	return start(s.t, "monitor", []string{"GENESIS_FAULT=" + fault, "GENESIS_MONITOR_INTERVAL=200ms"},
		"--config", s.config, "--nats", s.url(), "--http", "127.0.0.1:0")
}

// await waits until something holds.
func (s *system) await(what string, holds func() bool) {
	s.t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// events are all health events, by component, as STATE<-PREVIOUS; nil while the broker
// does not answer.
func (s *system) events() map[string][]string {
	all := map[string][]string{}
	for e, err := range s.bus.HealthEvents(s.t.Context(), bus.HealthFilter{}) {
		if err != nil {
			return nil
		}
		all[e.Component.String()] = append(all[e.Component.String()], string(e.Data.State)+"<-"+string(e.Data.Previous)+"")
	}
	return all
}

// awaitEvents waits until a component has had exactly these events.
func (s *system) awaitEvents(c bus.Component, want ...string) {
	s.t.Helper()
	var got []string
	s.await(fmt.Sprintf("the events of %s are %q", c, want), func() bool {
		got = s.events()[c.String()]
		if len(got) > len(want) {
			s.t.Fatalf("events of %s: got %q, want %q", c, got, want)
		}
		return slices.Equal(got, want)
	})
}

// onlyEvents checks how many events each component has had.
func (s *system) onlyEvents(want map[string]int) {
	s.t.Helper()
	got := map[string]int{}
	for component, events := range s.events() {
		got[component] = len(events)
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("events: got %v, want %v: %v", got, want, s.events())
	}
}

func TestTheNextMonitorTellsWhatAKilledOneHadDecided(t *testing.T) {
	for _, fault := range []string{"health-decided", "health-published"} {
		t.Run(fault, func(t *testing.T) {
			s := newSystem(t)
			dying := s.startMonitor(fault) // nobody serves the agents, and that is to be told
			dying.awaitLine("this monitor leads")
			next := s.startMonitor("")
			next.awaitLine("ready")
			dying.awaitKilled()
			died := time.Now()
			next.awaitLine("this monitor leads")
			if took := time.Since(died); took > takeover {
				t.Errorf("the takeover: got after %s, want within %s", took, takeover)
			}
			for _, agent := range []string{"echo", "probe"} {
				s.awaitEvents(bus.Component{Kind: bus.KindAgent, Name: agent}, "unhealthy<-healthy")
			}
			s.startWorker("")
			for _, agent := range []string{"echo", "probe"} {
				s.awaitEvents(bus.Component{Kind: bus.KindAgent, Name: agent}, "unhealthy<-healthy", "healthy<-unhealthy")
			}
			next.terminate()
			s.onlyEvents(map[string]int{"agent/echo": 2, "agent/probe": 2})
		})
	}
}
