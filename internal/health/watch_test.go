package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"genesis/pkg/bus"
)

// desk is a watch with the broker that keeps its events.
type desk struct {
	w     *Watch
	store map[bus.Component]bus.StoredHealthEvent
	next  uint64
	every time.Duration
}

func newDesk(t Thresholds) *desk {
	return &desk{w: NewWatch(t), store: map[bus.Component]bus.StoredHealthEvent{}, every: 30 * time.Second}
}

// round judges a snapshot and commits what changed; it returns that, one a line.
func (d *desk) round(s Snapshot) string {
	s.Elapsed = d.every
	var told []string
	for _, c := range d.w.Observe(Judge(s, DefaultThresholds())) {
		told = append(told, fmt.Sprintf("%s %s -> %s", c.Component, c.Event.Data.Previous, c.Event.Data.State))
		d.publish(c.Event)
	}
	return strings.Join(told, "\n")
}

func (d *desk) publish(e bus.HealthEvent) {
	d.next++
	e.ID = fmt.Sprint(d.next)
	stored := bus.StoredHealthEvent{HealthEvent: e, Sequence: d.next}
	d.store[e.Component] = stored
	d.w.Commit(stored)
}

func (d *desk) last() []bus.StoredHealthEvent {
	var all []bus.StoredHealthEvent
	for _, e := range d.store {
		all = append(all, e)
	}
	return all
}

// plays runs rounds, each written as a letter, and returns what each tells.
func (d *desk) plays(rounds string, of map[rune]func(*Snapshot)) string {
	var told []string
	for i, letter := range rounds {
		s := well()
		of[letter](&s)
		if changes := d.round(s); changes != "" {
			told = append(told, fmt.Sprintf("%d: %s", i+1, strings.ReplaceAll(changes, "\n", ", ")))
		}
	}
	return strings.Join(told, "; ")
}

// letters are rounds of an agent: healthy, degraded, unhealthy, certainly unhealthy, on
// the edge (no more than before), not to be told; the broker away; the agent gone.
func letters() map[rune]func(*Snapshot) {
	return map[rune]func(*Snapshot){
		'h': func(*Snapshot) {},
		'd': onEcho(queued(1000, 0)),
		'u': onEcho(queued(10000, 0)),
		'c': onEcho(func(a *Agent) { a.Workers = 0 }),
		'e': onEcho(queued(900, 0)),
		'?': onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Problem = "timeout" }),
		'x': func(s *Snapshot) { s.Broker.Connected = false },
		'-': func(s *Snapshot) { delete(s.Agents, "echo") },
		'w': func(s *Snapshot) { delete(s.Agents, "echo"); s.WorkersKnown = false },
	}
}

func TestAWatchTellsLastingChangesOnly(t *testing.T) {
	const (
		degraded  = "agent/echo healthy -> degraded"
		unhealthy = "agent/echo healthy -> unhealthy"
	)
	for _, tt := range []struct{ promise, rounds, want string }{
		{"all is well", "hhhhh", ""},
		{"one bad round is no news", "hhdhhdhh", ""},
		{"two in a row are", "hhdd", "4: " + degraded},
		{"the second tells how bad it is", "hhduu", "5: " + unhealthy},
		{"a round that is worse counts for what is less bad", "hhud", "4: " + degraded},
		{"worse and worse", "hdduu", "3: " + degraded + "; 5: agent/echo degraded -> unhealthy"},
		{"what is certain is told at once", "hc", "2: " + unhealthy},
		{"but not before all workers could be there", "ch", ""},
		{"and then it is", "cc", "2: " + unhealthy},
		{"three good rounds are a recovery", "ddhhh", "2: " + degraded + "; 5: agent/echo degraded -> healthy"},
		{"two are not", "ddhhdhhdhhd", "2: " + degraded},
		{"better is not well", "uuddd", "2: " + unhealthy + "; 5: agent/echo unhealthy -> degraded"},
		{"a good round counts for what is less good", "uudhd", "2: " + unhealthy + "; 5: agent/echo unhealthy -> degraded"},
		{"the edge of a threshold is no trouble to the healthy", "eeee", ""},
		{"but keeps the degraded as they are", "ddeeeeee", "2: " + degraded},
		{"until they have left it", "ddeehhh", "2: " + degraded + "; 7: agent/echo degraded -> healthy"},
		{"another trouble does not put an agent on an edge it never crossed", "ccceee", "2: " + unhealthy + "; 6: agent/echo unhealthy -> healthy"},
		{"a flapping signal is one event", "hdhddhdhddhdhddhdd", "5: " + degraded},
		{
			"a relapse doubles the patience", "ddhhhdd" + "hhhhh" + "h",
			"2: " + degraded + "; 5: agent/echo degraded -> healthy; 7: " + degraded + "; 13: agent/echo degraded -> healthy",
		},
		{
			"what nobody can tell stands, and is counted from nothing", "dd???hh?hh?hhh", "2: " + degraded +
				"; 4: stream/GENESIS_REQUESTS_echo healthy -> unhealthy; 14: stream/GENESIS_REQUESTS_echo unhealthy -> healthy, agent/echo degraded -> healthy",
		},
		{"what is gone recovers", "dd---", "2: " + degraded + "; 5: agent/echo degraded -> healthy"},
		{"but not while nobody knows what is there", "ddwwwwww", "2: " + degraded},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			if got := newDesk(DefaultThresholds()).plays(tt.rounds, letters()); got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.rounds, got, tt.want)
			}
		})
	}
}

func TestAnOutageOfTheBrokerIsOneEvent(t *testing.T) {
	d := newDesk(DefaultThresholds())
	// The agent is degraded, and worse when the broker comes back.
	got := d.plays("dd"+"xxxx"+"u"+"u"+"uu", letters())
	want := "2: agent/echo healthy -> degraded; 3: dependency/nats healthy -> unhealthy; " +
		"8: agent/echo degraded -> unhealthy; 9: dependency/nats unhealthy -> healthy"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAnElectionIsNoEvent(t *testing.T) {
	moves := map[rune]func(*Snapshot){
		'h': func(*Snapshot) {},
		'p': func(s *Snapshot) { s.Broker.Problem = "no answer" },
		'a': func(s *Snapshot) { *s = clustered(); away("n2")(s) },
		'l': func(s *Snapshot) {
			*s = clustered()
			away("n2")(s)
			onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Leader = "" })(s)
			change(s.Agents, "probe", func(a *Agent) { a.Problem = "no server leads its consumer" })
		},
	}
	const (
		degraded  = "dependency/nats healthy -> degraded"
		unhealthy = "dependency/nats healthy -> unhealthy"
	)
	for _, tt := range []struct{ promise, rounds, want string }{
		{"a server dies and its streams are led by others", "hhpplllllllaaaahhh", "6: " + degraded + "; 18: dependency/nats degraded -> healthy"},
		{"they are not led by anybody", "hh" + strings.Repeat("l", 17), "4: " + degraded + "; 19: dependency/nats degraded -> unhealthy"},
		{"the broker takes a while to answer", "hh" + strings.Repeat("p", 15) + "hhhh", ""},
		{"it does not answer", "hh" + strings.Repeat("p", 17), "19: " + unhealthy},
		{"it does not answer in between", "hh" + strings.Repeat("p", 17) + "h" + strings.Repeat("p", 5) + "hh", "19: " + unhealthy},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			d := newDesk(DefaultThresholds())
			d.every = time.Second
			if got := d.plays(tt.rounds, moves); got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.rounds, got, tt.want)
			}
		})
	}
}

func TestABrokerThatNeverAnswersIsToldOfWithoutAClock(t *testing.T) {
	d := newDesk(DefaultThresholds())
	d.every = 0
	got := d.plays("ppppp", map[rune]func(*Snapshot){'p': func(s *Snapshot) { s.Broker.Problem = "no answer" }})
	if want := "5: dependency/nats healthy -> unhealthy"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWorkersMayBeLateAfterAnOutage(t *testing.T) {
	d := newDesk(DefaultThresholds())
	d.every = time.Second
	got := d.plays("hhhhhh"+"x"+"cccc"+"hhhhh", letters())
	want := "7: dependency/nats healthy -> unhealthy; 10: dependency/nats unhealthy -> healthy"
	if got != want {
		t.Errorf("an agent without a worker for 4 seconds after an outage: got  %s\nwant %s", got, want)
	}
	got = d.plays("x"+"ccccccc", letters())
	want = "1: dependency/nats healthy -> unhealthy; 7: dependency/nats unhealthy -> healthy, agent/echo healthy -> unhealthy"
	if got != want {
		t.Errorf("for more than 5 seconds: got  %s\nwant %s", got, want)
	}
}

func TestWhatCannotBeSeenAnyMoreDoesNotRecoverByThat(t *testing.T) {
	d := newDesk(DefaultThresholds())
	missing := func(s *Snapshot) { s.Ledger = &Ledger{Missing: 1, Agents: map[string]uint64{"echo": 1}} }
	got := d.plays("hm"+"hhhhhhhh", map[rune]func(*Snapshot){'h': func(*Snapshot) {}, 'm': missing})
	if want := "2: system/ledger healthy -> unhealthy"; got != want {
		t.Errorf("without a verification: got  %s\nwant %s", got, want)
	}
}

func TestALostWorkerIsForgotten(t *testing.T) {
	moves := map[rune]func(*Snapshot){
		'h': func(*Snapshot) {},
		'l': func(s *Snapshot) { change(s.Workers, "w1", func(w *Worker) { w.Lost = s.At }) },
		'-': func(s *Snapshot) { delete(s.Workers, "w1") },
	}
	const lost = "2: worker/w1 healthy -> unhealthy"
	for _, tt := range []struct{ promise, rounds, want string }{
		{"when it returns", "hlllhhh", lost + "; 7: worker/w1 unhealthy -> healthy"},
		{"ten minutes later, by a monitor that never saw it", "hl" + strings.Repeat("-", 22), lost + "; 24: worker/w1 unhealthy -> healthy"},
		{"not before", "hl" + strings.Repeat("-", 21), lost},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			if got := newDesk(DefaultThresholds()).plays(tt.rounds, moves); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A monitor that dies between deciding and publishing leaves the change to its heir.
func TestAChangeIsDueUntilItIsTold(t *testing.T) {
	leader, heir := newDesk(DefaultThresholds()), NewWatch(DefaultThresholds())
	bad := well()
	onEcho(queued(1000, 0))(&bad)
	r := Judge(bad, DefaultThresholds())
	leader.w.Observe(r)
	heir.Observe(r)
	if got := len(leader.w.Observe(r)); got != 1 {
		t.Fatalf("the leader decides: got %d changes, want 1", got)
	}
	var due []Change
	for range 2 {
		due = heir.Observe(r)
		if len(due) != 1 || due[0].After != 0 || due[0].Event.Data.State != bus.StateDegraded || !due[0].Event.Time.Equal(r.At) {
			t.Fatalf("the heir, round after round: got %+v, want the same change", due)
		}
	}
	leader.publish(due[0].Event)
	heir.Commit(leader.store[agent("echo")])
	if due = heir.Observe(r); len(due) != 0 {
		t.Errorf("once it is told: got %+v, want none", due)
	}
}

func TestARestartedWatchRepeatsNothing(t *testing.T) {
	d := newDesk(DefaultThresholds())
	d.plays("dd", letters())
	d.w = NewWatch(DefaultThresholds())
	d.w.Restore(d.last())
	got := d.plays("eeeedddd"+"hhh", letters())
	if want := "11: agent/echo degraded -> healthy"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheBrokerKnowsBetter(t *testing.T) {
	d := newDesk(DefaultThresholds())
	d.plays("ccc", letters())
	d.w.Restore(nil) // somebody removed the events
	got := d.plays("c", letters())
	if want := "1: agent/echo healthy -> unhealthy"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c := d.w.entries[agent("echo")]; c.sequence != d.next {
		t.Errorf("sequence: got %d, want %d", c.sequence, d.next)
	}
}

func TestAStandingSaysWhatIsKnownNow(t *testing.T) {
	d := newDesk(DefaultThresholds())
	s := well()
	onEcho(queued(1000, 0))(&s)
	onEcho(func(a *Agent) { a.Arrival, a.Service = 0, 10 })(&s)
	d.round(s)
	d.round(s)
	onEcho(queued(900, 0))(&s)
	s.At = s.At.Add(time.Minute)
	d.round(s)
	all := d.w.Standings()
	if len(all) != 1 {
		t.Fatalf("got %+v, want the agent alone", all)
	}
	got := all[0]
	if got.Component != agent("echo") || got.State != bus.StateDegraded || !got.Since.Equal(noon()) || got.Sequence != 1 ||
		!strings.HasPrefix(got.Reason, "900 requests") || len(got.Affects) != 1 {
		t.Errorf("got %+v, want echo degraded since noon, with the figures of now", got)
	}
	if want := s.At.Add(90 * time.Second); got.EstimatedRecovery == nil || !got.EstimatedRecovery.Equal(want) {
		t.Errorf("estimated recovery: got %v, want %v", got.EstimatedRecovery, want)
	}
	fine := well()
	fine.At = s.At
	d.round(fine)
	if got := d.w.Standings()[0]; !strings.HasPrefix(got.Reason, "1000 requests") || got.EstimatedRecovery == nil || !got.EstimatedRecovery.Equal(s.At.Add(time.Minute)) {
		t.Errorf("while it recovers: got %+v, want the reason that was told, and two rounds more", got)
	}
	away := well()
	away.Broker.Connected = false
	d.round(away)
	for _, got := range d.w.Standings() {
		if got.Component == agent("echo") && (got.State != bus.StateDegraded || got.EstimatedRecovery != nil) {
			t.Errorf("without a broker: got %+v, want it to stand, for nobody knows how long", got)
		}
	}
}

func TestALateWatchForgetsWhatHasLongBeenWell(t *testing.T) {
	d := newDesk(DefaultThresholds())
	d.plays("hh"+"c", letters())
	d.plays("---", letters())
	if got := len(d.w.Standings()); got != 1 {
		t.Fatalf("after its recovery: got %d standings, want 1", got)
	}
	d.every = 24 * time.Hour
	d.plays("-------", letters())
	if got := len(d.w.Standings()); got != 0 {
		t.Errorf("a week after: got %d standings, want none", got)
	}
}

// Something else happens all the time, so that rounds come out of turn.
func TestRoundsOutOfTurnCountForWhatIsCertainOnly(t *testing.T) {
	d := newDesk(DefaultThresholds())
	early := func(s Snapshot) string {
		s.Elapsed = time.Second
		r := Judge(s, DefaultThresholds())
		r.Early = true
		var told []string
		for _, c := range d.w.Observe(r) {
			told = append(told, fmt.Sprintf("%s %s -> %s", c.Component, c.Event.Data.Previous, c.Event.Data.State))
			d.publish(c.Event)
		}
		return strings.Join(told, "\n")
	}
	fine, sick, dead := well(), well(), well()
	onEcho(queued(1000, 0))(&sick)
	onEcho(func(a *Agent) { a.Workers = 0 })(&dead)
	d.round(fine)
	for i, step := range []struct {
		turn bool
		s    Snapshot
		want string
	}{
		{false, sick, ""},
		{false, sick, ""},
		{false, sick, ""},
		{true, sick, ""}, // the first in turn
		{false, fine, ""},
		{true, sick, ""}, // and it was not in a row
		{false, sick, ""},
		{true, sick, "agent/echo healthy -> degraded"},
		{false, fine, ""},
		{false, fine, ""},
		{false, fine, ""},
		{false, dead, "agent/echo degraded -> unhealthy"},
		{true, fine, ""},
		{true, fine, ""},
		{false, fine, ""},
		{true, fine, "agent/echo unhealthy -> healthy"},
	} {
		tell := early
		if step.turn {
			tell = d.round
		}
		if got := tell(step.s); got != step.want {
			t.Errorf("step %d: got %q, want %q", i+1, got, step.want)
		}
	}
}
