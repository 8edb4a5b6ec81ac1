package health

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
)

// noon is when the snapshots of these tests are taken.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// well is a snapshot in which nothing is wrong: agents echo and probe, a worker for both.
func well() Snapshot {
	served := func(ways ...string) Agent {
		return Agent{Workers: 1, Slots: 10, Timeout: 30 * time.Second, Ways: ways, Arrival: 1, Service: 1}
	}
	return Snapshot{
		At: noon(), Elapsed: 30 * time.Second, WorkersKnown: true, Configured: []string{"echo", "probe"},
		Broker: Broker{Connected: true, Since: noon().Add(-time.Hour), Servers: 1},
		Agents: map[string]Agent{"echo": served("model", ""), "probe": served("model")},
		Workers: map[string]Worker{
			"w1": {Agents: []string{"echo", "probe"}, Slots: 20},
		},
		Breakers: map[string]Breaker{"model": {Closed: 1, Agents: []string{"echo", "probe"}}},
		Streams: map[string]Stream{
			"GENESIS_REQUESTS_echo": {MaxMessages: 1000, Replicas: 1}, "GENESIS_REQUESTS_probe": {MaxMessages: 1000, Replicas: 1},
			"GENESIS_RESULTS": {Replicas: 1, DiscardOld: true, MaxBytes: 1000, Bytes: 1000},
		},
	}
}

// clustered is well on three servers.
func clustered() Snapshot {
	s := well()
	s.Broker.Servers = 3
	for name, st := range s.Streams {
		st.Clustered, st.Leader, st.Replicas = true, "n1", 3
		s.Streams[name] = st
	}
	return s
}

// change changes one entry of a map.
func change[T any](all map[string]T, name string, how func(*T)) {
	v := all[name]
	how(&v)
	all[name] = v
}

func onEcho(how func(*Agent)) func(*Snapshot) {
	return func(s *Snapshot) { change(s.Agents, "echo", how) }
}

func onStream(name string, how func(*Stream)) func(*Snapshot) {
	return func(s *Snapshot) { change(s.Streams, name, how) }
}

// queued gives an agent work that waits.
func queued(lag uint64, oldest time.Duration) func(*Agent) {
	return func(a *Agent) {
		a.Lag, a.OldestAge = lag, oldest
		a.Lanes = []Lane{{Name: bus.LaneInteractive, Pending: lag, Lag: lag, OldestAge: oldest}}
	}
}

// say writes findings, one a line: what a component is, by which check, why, and what it
// affects. A state that only counts for what is in it already has a question mark.
func say(findings []Finding) string {
	lines := make([]string, len(findings))
	for i, f := range findings {
		state := string(f.State)
		if f.State == bus.StateHealthy {
			state = string(f.Keep) + "?"
		}
		sure := ""
		if f.Certain {
			sure = "!"
		}
		lines[i] = fmt.Sprintf("%s %s%s %s", f.Component, state, sure, f.text(f.Keep))
		if f.State != bus.StateHealthy {
			lines[i] = fmt.Sprintf("%s %s%s %s", f.Component, state, sure, f.text(f.State))
		}
		if len(f.Affects) > 0 {
			lines[i] += " " + fmt.Sprint(f.Affects)
		}
	}
	return strings.Join(lines, "\n")
}

// looks runs one check over snapshots, each a change of one in which nothing is wrong.
func looks(t *testing.T, check string, from func() Snapshot, limits Thresholds, tests []look) {
	t.Helper()
	i := slices.IndexFunc(Checks(), func(c Check) bool { return c.Name == check })
	if i < 0 {
		t.Fatalf("there is no check %s", check)
	}
	run := Checks()[i].Run
	if got := say(run(from(), limits)); got != "" {
		t.Errorf("nothing is wrong: got\n%s", got)
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			s := from()
			for _, how := range tt.how {
				how(&s)
			}
			if got := say(run(s, limits)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

type look struct {
	promise string
	want    string
	how     []func(*Snapshot)
}

// given is the end of a look.
func given(how ...func(*Snapshot)) []func(*Snapshot) { return how }
