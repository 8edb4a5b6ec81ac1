package monitor

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// crowd is a survey of n agents, each with work that waits for an hour, and a worker
// that serves them all.
func crowd(m *Server, n int, at time.Time) bus.Survey {
	s := bus.Survey{At: at, Server: "n1"}
	lease := bus.WorkerLease{Name: "w1", Started: at, Agents: map[string]bus.AgentLoad{}}
	for i := range n {
		name := fmt.Sprintf("agent-%04d", i)
		s.Streams = append(s.Streams, bus.StreamSurvey{Name: bus.RequestStream(name), Messages: 20_000, LastSequence: 1_000_000 + uint64(i), FirstSequence: 1, Replicas: 1})
		for _, lane := range bus.Lanes() {
			s.Lanes = append(s.Lanes, bus.LaneSurvey{Agent: name, Lane: lane, Pending: 9_990, InFlight: 10, Lag: 10_000, OldestAge: time.Hour})
		}
		lease.Agents[name] = bus.AgentLoad{Slots: 10, InUse: 10, Requests: 1000, Errors: 600}
	}
	m.staff.follower().Here(lease)
	m.staff.follower().Ready()
	return s
}

// seen is what a monitor sees in a survey.
func seen(m *Server, survey bus.Survey, elapsed time.Duration) health.Snapshot {
	s := health.Snapshot{At: survey.At, Elapsed: elapsed, Broker: health.Broker{Connected: true, Since: survey.At}, Configured: m.cfg.AgentNames()}
	m.looker.see(&s, survey)
	s.Workers = m.staff.workers(s.At)
	m.looker.employ(&s)
	return s
}

func TestAThousandSickAgentsAreARoundLikeAnyOther(t *testing.T) {
	t.Parallel()
	const agents = 1000
	m, _ := serve(t)
	close(m.caught)
	survey := crowd(m, agents, time.Now())
	began := time.Now()
	var changes []health.Change
	const rounds = 10
	for i := range rounds {
		s := seen(m, survey, 30*time.Second)
		changes = m.watch.Observe(health.Judge(s, m.thresholds))
		if i < 2 {
			continue
		}
		m.mu.Lock()
		m.snapshot, m.known, m.looked = s, s, time.Now()
		m.made++
		m.history.add(&s)
		m.mu.Unlock()
	}
	told := 0
	for i, c := range changes {
		if c.Component.Kind == bus.KindAgent && strings.HasPrefix(c.Component.Name, "agent-") {
			told++
		}
		m.commit(bus.StoredHealthEvent{HealthEvent: c.Event, Sequence: uint64(i + 1)})
	}
	if told != agents {
		t.Errorf("agents that are told of: got %d, want %d", told, agents)
	}
	note, err := json.Marshal(m.overview())
	if err != nil || len(note) > 200<<10 {
		t.Errorf("the lease: got %d bytes (%v), want room for more in 256 KiB", len(note), err)
	}
	r, err := m.lag("", 100)
	if err != nil || len(r.Agents) != agents+3 || len(r.Agents[3].History) != rounds-2 {
		t.Errorf("the lag: got %d agents (%v), want %d with their history", len(r.Agents), err, agents+3)
	}
	if v := m.view(); len(v.Agents) != agents+3 {
		t.Errorf("the page: got %d agents, want %d", len(v.Agents), agents+3)
	}
	if got := strings.Count(scrape(t, m.metrics), "\ngenesis_consumer_lag{"); got != 2*agents {
		t.Errorf("the metrics: got %d lags, want %d", got, 2*agents)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%d rounds: got %s, want far less", rounds, took)
	}
	t.Logf("%d rounds with %d agents took %s; the lease has %d bytes", rounds, agents, time.Since(began), len(note))
}

func TestWhatIsMissingOrCannotBeReadIsSeen(t *testing.T) {
	t.Parallel()
	m, _ := serve(t)
	at := time.Now()
	survey := bus.Survey{
		At: at, Streams: []bus.StreamSurvey{
			{Name: bus.RequestStream("echo"), Messages: 3, LastSequence: 9, Replicas: 3, Clustered: true, Leader: "n1", Offline: []string{"n3", "n2"}},
			{Name: bus.RequestStream("old"), Messages: 1, LastSequence: 1, Replicas: 1}, // not configured any more
			{Name: bus.RequestStream("probe"), Problem: "no server leads it", Clustered: true},
			{Name: bus.StreamDeadLetters, Problem: "no server leads it", Clustered: true},
		},
		Lanes: []bus.LaneSurvey{
			{Agent: "echo", Lane: bus.LaneInteractive, Lag: 2, OldestAge: time.Minute, Redelivered: 1},
			{Agent: "echo", Lane: bus.LaneBatch, Lag: 1, OldestAge: time.Hour, Paused: true},
			{Agent: "old", Lane: bus.LaneInteractive, Missing: true},
			{Agent: "old", Lane: bus.LaneBatch, Lag: 1},
			{Agent: "probe", Lane: bus.LaneInteractive, Problem: "no server leads it"},
			{Agent: "probe", Lane: bus.LaneBatch, Problem: "no server leads it"},
		},
	}
	s := seen(m, survey, 0)
	echo := s.Agents["echo"]
	if echo.Lag != 3 || echo.OldestAge != time.Hour || echo.Redelivered != 1 || len(echo.Lanes) != 2 || echo.Problem != "its batch lane is paused" {
		t.Errorf("echo: got %+v, want both lanes together, and that one is paused", echo)
	}
	for name, want := range map[string]string{
		"old": "the consumer of its interactive lane is missing", "assistant": "its queue is missing", "probe": "the consumer of its batch lane cannot be read: no server leads it",
	} {
		if got := s.Agents[name].Problem; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if len(s.Agents) != 4 || s.Agents["old"].Timeout != m.cfg.Defaults.Timeout.Std() || len(s.Agents["old"].Lanes) != 1 {
		t.Errorf("agents: got %+v, want four, and the lane of the old one that can be read", s.Agents)
	}
	if !s.Streams[bus.StreamHealth].Missing || s.Streams[bus.RequestStream("echo")].Missing || s.Broker.Servers != 3 || fmt.Sprint(s.Broker.Offline) != "[n2 n3]" {
		t.Errorf("streams: got %+v of %+v, want that the health events are missing, and 2 of 3 servers away", s.Streams, s.Broker)
	}
	m.tally.counts["echo"], m.tally.read, m.tally.last, m.tally.kept = 7, true, 7, 7
	if err := m.looker.bury(t.Context(), &s, survey); err != nil || !m.tally.read || m.tally.counts["echo"] != 7 {
		t.Errorf("dead letters that cannot be read: got %v of %v, want what was known", err, m.tally.counts)
	}
}

func TestWorkersAndTheirBreakersAreAddedUp(t *testing.T) {
	t.Parallel()
	b, err := bus.Connect(t.Context(), bus.Options{URL: "nats://127.0.0.1:1", Background: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	cfg := named()
	woken := 0
	staff := newStaff(func() { woken++ })
	k, err := newLooker(cfg, b, staff, newTally(b), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := staff.follower()
	load := map[string]bus.AgentLoad{"echo": {Slots: 5, InUse: 2, Requests: 10, Errors: 1}, "gone": {Slots: 1}}
	breaker := func(state string, isolated bool) []bus.BreakerLoad {
		return []bus.BreakerLoad{{Name: "simulated", State: state, Isolated: isolated, Reason: state}}
	}
	f.Here(bus.WorkerLease{Name: "a", Agents: load, Breakers: breaker("closed", false)})
	f.Here(bus.WorkerLease{Name: "b", Agents: load, Breakers: breaker("open", false)})
	f.Here(bus.WorkerLease{Name: "b", Agents: load, Breakers: breaker("half_open", false)}) // a renewal
	f.Here(bus.WorkerLease{Name: "c", Agents: load, Draining: true, Breakers: breaker("open", true)})
	f.Here(bus.WorkerLease{Name: "d", Agents: load})
	f.Left("d")
	f.Here(bus.WorkerLease{Name: "e", Agents: load})
	f.Lost("e")
	f.Lost("nobody")
	if woken != 7 { // not by a renewal, nor by who was never there
		t.Errorf("rounds made due: got %d, want 7", woken)
	}
	s := health.Snapshot{At: time.Now(), Agents: map[string]health.Agent{"echo": {}}}
	k.employ(&s)
	if s.WorkersKnown {
		t.Error("before all are heard: got that they are known")
	}
	f.Ready()
	s = health.Snapshot{At: time.Now(), Agents: map[string]health.Agent{"echo": {}}}
	k.employ(&s)
	if e := s.Agents["echo"]; !s.WorkersKnown || len(s.Agents) != 1 || e.Workers != 2 || e.Slots != 10 || e.InUse != 4 || e.Requests != 20 || e.Errors != 2 {
		t.Errorf("echo: got %+v, want what two workers have: one drains, one left, one is lost", e)
	}
	if br := s.Breakers["simulated"]; br.Open != 1 || br.HalfOpen != 1 || br.Closed != 1 || !br.Isolated || br.Reason == "" {
		t.Errorf("the breaker: got %+v, want one of each, and held open", br)
	}
	at := time.Now().Add(5 * time.Hour) // the broker's clock is another one
	all := staff.workers(at)
	if w, known := all["e"]; len(all) != 4 || !known || w.Lost.After(at) || at.Sub(w.Lost) > time.Minute || w.Slots != 6 {
		t.Errorf("workers: got %+v, want four, e lost a moment ago by that clock", all)
	}
	staff.lost["e"] = loss{staff.lost["e"].lease, time.Now().Add(-remembered - time.Second)}
	if all := staff.workers(at); len(all) != 3 || len(staff.lost) != 0 {
		t.Errorf("workers long after: got %+v, want three", all)
	}
	f.Here(bus.WorkerLease{Name: "e", Agents: load})
	f.Blind()
	if _, known := staff.leases(); known {
		t.Error("while the broker is away: got that the workers are known")
	}
}

// This machine's clock may be hours off, and may step.
func TestTimesAreTheBrokersAlsoWhileItIsAway(t *testing.T) {
	t.Parallel()
	m, _ := serve(t)
	k, here := m.looker, time.Now()
	if got := k.clock(here); !got.Equal(here) {
		t.Errorf("before the broker was heard: got %s, want this machine's %s", got, here)
	}
	broker := here.Add(-7 * time.Hour)
	k.told, k.heard = broker, here
	if got, want := k.clock(here.Add(time.Minute)), broker.Add(time.Minute); !got.Equal(want) {
		t.Errorf("a minute after it was heard: got %s, want %s", got, want)
	}
	s, err := k.look(t.Context())
	if err != nil || s.Broker.Connected || s.At.Sub(broker) > time.Minute {
		t.Errorf("a look while it is away: got %s (%v), want its time, %s", s.At, err, broker)
	}
}
