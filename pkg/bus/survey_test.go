package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func surveyOf(t testing.TB, b *bus.Bus) bus.Survey {
	t.Helper()
	s, err := b.Survey(t.Context())
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	return s
}

// lane is one lane of a survey, without what it keeps for itself.
func lane(t testing.TB, s bus.Survey, agent string, lane bus.Lane) bus.LaneSurvey {
	t.Helper()
	for _, l := range s.Lanes {
		if l.Agent == agent && l.Lane == lane {
			return bus.LaneSurvey{
				Agent: l.Agent, Lane: l.Lane, Pending: l.Pending, InFlight: l.InFlight, Lag: l.Lag, Redelivered: l.Redelivered,
				OldestAge: l.OldestAge.Round(100 * time.Millisecond), Paused: l.Paused, Missing: l.Missing, Problem: l.Problem,
			}
		}
	}
	t.Fatalf("the survey has no %s lane of %s: %+v", lane, agent, s.Lanes)
	return bus.LaneSurvey{}
}

func TestASurveySeesEveryStreamAndLane(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		createStreams(t, b, "a", "b", "c")
		if err := b.EnsureConsumers(t.Context(), "b", time.Minute); err != nil {
			t.Fatal(err)
		}
		create(t, b, jetstream.StreamConfig{Name: "FOREIGN", Subjects: []string{"foreign"}})
		for i := range 4 {
			publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("x", i)})
		}
		taken := pick(t, b, 3)
		if err := errors.Join(taken[0].DoubleAck(t.Context()), taken[1].Nak(), b.Conn().Flush()); err != nil {
			t.Fatal(err)
		}
		spend(t.Context(), time.Second) // the broker hears of it
		pick(t, b, 1)                   // again
		spend(t.Context(), time.Minute)
		publish(t, b, bus.Envelope{Agent: "c", ID: "x"})
		if _, err := b.JetStream().PauseConsumer(t.Context(), bus.RequestStream("b"), string(bus.LaneBatch), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		got := surveyOf(t, b)
		for _, want := range []bus.LaneSurvey{
			{Agent: "a", Lane: bus.LaneInteractive, Pending: 1, InFlight: 2, Lag: 3, Redelivered: 1, OldestAge: 62 * time.Second},
			{Agent: "a", Lane: bus.LaneBatch},
			{Agent: "b", Lane: bus.LaneInteractive},
			{Agent: "b", Lane: bus.LaneBatch, Paused: true},
			{Agent: "c", Lane: bus.LaneInteractive, Missing: true},
			{Agent: "c", Lane: bus.LaneBatch, Missing: true},
		} {
			l := lane(t, got, want.Agent, want.Lane)
			if want.OldestAge > 0 && (l.OldestAge-want.OldestAge).Abs() < 2*time.Second { // fetching takes its time
				l.OldestAge = want.OldestAge
			}
			if l != want {
				t.Errorf("lane: got %+v, want %+v", l, want)
			}
		}
		if len(got.Lanes) != 6 || got.Lanes[0].Agent != "a" || got.Lanes[5].Agent != "c" || got.Lanes[4].Lane != bus.LaneInteractive {
			t.Errorf("lanes: got %+v, want both of a, b and c in that order", got.Lanes)
		}
		q, ok := got.Stream(bus.RequestStream("a"))
		if !ok || q.Messages != 3 || q.FirstSequence != 2 || q.LastSequence != 4 || q.Bytes == 0 || q.MaxMessages != 10000 || q.DiscardOld || q.Replicas != 1 ||
			q.Clustered || q.Leader != "" || len(q.Offline) != 0 || q.Problem != "" || q.FirstTime.IsZero() {
			t.Errorf("queue of a: got %+v", q)
		}
		if d, ok := got.Stream(bus.StreamDeadLetters); !ok || !d.DiscardOld || d.MaxMessages > 0 || !d.FirstTime.IsZero() {
			t.Errorf("dead letters: got %+v", d)
		}
		if _, ok := got.Stream("FOREIGN"); ok {
			t.Error("a foreign stream is in the survey")
		}
		if len(got.Streams) != 15 || got.Storage <= 0 || got.StorageLimit != 0 || got.Server != "bustest" || got.Cluster != "" || !got.At.Equal(time.Now()) {
			t.Errorf("survey: got %d streams, storage %d of %d, server %q in %q at %s, want 15 streams now", len(got.Streams), got.Storage, got.StorageLimit, got.Server, got.Cluster, got.At)
		}
	})
}

// The first message of the stream does not tell the age of both lanes; that of a lane
// whose consumer is behind, or past it, comes from elsewhere.
func TestEachLaneHasTheAgeOfItsOwnOldestRequest(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		ages := func(when string, interactive, batch time.Duration) {
			t.Helper()
			spend(t.Context(), 10*time.Second)
			for range 2 { // asked, then remembered
				got := surveyOf(t, b)
				if i, l := lane(t, got, "a", bus.LaneInteractive), lane(t, got, "a", bus.LaneBatch); i.OldestAge != interactive || l.OldestAge != batch {
					t.Errorf("ages %s: got %s and %s, want %s and %s", when, i.OldestAge, l.OldestAge, interactive, batch)
				}
			}
		}
		cancel := func(id string) {
			t.Helper()
			if err := b.Cancel(t.Context(), "a", id, ""); err != nil {
				t.Fatal(err)
			}
		}
		ages("without requests", 0, 0)
		publish(t, b, bus.Envelope{Agent: "a", ID: "b1", Lane: bus.LaneBatch})
		ages("with one of batch", 0, 10*time.Second)
		publish(t, b, bus.Envelope{Agent: "a", ID: "i1"})
		ages("with one of each", 10*time.Second, 20*time.Second)
		publish(t, b, bus.Envelope{Agent: "a", ID: "i2"})
		publish(t, b, bus.Envelope{Agent: "a", ID: "b2", Lane: bus.LaneBatch})
		ages("with two of each", 20*time.Second, 30*time.Second)
		cancel("b1")
		ages("once the first of batch is cancelled", 30*time.Second, 20*time.Second)
		if err := pick(t, b, 1)[0].DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		ages("once the first of interactive is answered", 30*time.Second, 30*time.Second)
		cancel("i2")
		ages("without interactive ones", 0, 40*time.Second)
		cancel("b2")
		publish(t, b, bus.Envelope{Agent: "a", ID: "i3"})
		ages("with a new one", 10*time.Second, 0)
		publish(t, b, bus.Envelope{Agent: "a", ID: "b3", Lane: bus.LaneBatch})
		ages("and one of batch", 20*time.Second, 10*time.Second)
		publish(t, b, bus.Envelope{Agent: "a", ID: "b4", Lane: bus.LaneBatch})
		ages("and another", 30*time.Second, 20*time.Second)
		batch, err := b.JetStream().Consumer(t.Context(), bus.RequestStream("a"), string(bus.LaneBatch))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := batch.Next(); err != nil || m.DoubleAck(t.Context()) != nil {
			t.Fatalf("answer b3: %v", err)
		}
		ages("once b3 is answered behind i3", 40*time.Second, 20*time.Second)
	})
}

// An oldest request that was cancelled in the midst of its queue leaves no trace that a
// survey could see; it is looked at again after a few.
func TestACancelledRequestMakesItsLaneLookOldForTenSurveysAtMost(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		for i, l := range []bus.Lane{bus.LaneInteractive, bus.LaneBatch, bus.LaneBatch} {
			publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("x", i), Lane: l})
			spend(t.Context(), 10*time.Second)
		}
		age := func() time.Duration { return lane(t, surveyOf(t, b), "a", bus.LaneBatch).OldestAge }
		if got := age(); got != 20*time.Second {
			t.Fatalf("age: got %s, want 20 s", got)
		}
		if err := b.Cancel(t.Context(), "a", "x1", ""); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			age()
		}
		if got := age(); got != 10*time.Second {
			t.Errorf("age after ten surveys: got %s, want 10 s", got)
		}
	})
}

// What its consumer forgot is nobody's backlog: it does not make the lane look old.
func TestAForgottenRequestIsNobodysBacklog(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
		strand(t, b, 1)
		spend(t.Context(), time.Hour)
		for _, l := range bus.Lanes() {
			if got := lane(t, surveyOf(t, b), "a", l); got.Lag != 0 || got.OldestAge != 0 {
				t.Errorf("%s lane: got %+v, want no lag and no age", l, got)
			}
		}
		publish(t, b, bus.Envelope{Agent: "a", ID: "x2"})
		publish(t, b, bus.Envelope{Agent: "a", ID: "y", Lane: bus.LaneBatch})
		spend(t.Context(), 10*time.Second)
		for _, l := range bus.Lanes() {
			if got := lane(t, surveyOf(t, b), "a", l); got.Lag != 1 || got.OldestAge != 10*time.Second {
				t.Errorf("%s lane: got %+v, want a lag of 1 and 10 s", l, got)
			}
		}
	})
}

// More streams than the broker lists at once; the bench surveys 1,000 agents.
func TestASurveyTurnsThePages(t *testing.T) {
	b := connectTo(t, bustest.Start(t), quiet())
	var agents []string
	for i := range 260 {
		agents = append(agents, fmt.Sprintf("agent-%03d", i))
	}
	createStreams(t, b, agents...)
	for i := 0; i < len(agents); i += 10 {
		publish(t, b, bus.Envelope{Agent: agents[i]})
		if err := b.EnsureConsumers(t.Context(), agents[i], time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	got := surveyOf(t, b)
	if len(got.Lanes) != 2*len(agents) {
		t.Fatalf("lanes: got %d, want %d", len(got.Lanes), 2*len(agents))
	}
	for i, l := range got.Lanes {
		want, missing := uint64(0), i/2%10 != 0
		if i%20 == 0 {
			want = 1
		}
		if l.Agent != agents[i/2] || l.Missing != missing || l.Problem != "" || l.Lag != want || (l.OldestAge > 0) != (want > 0) {
			t.Errorf("lane %d: got %+v, want %s with a lag of %d, missing %v", i, l, agents[i/2], want, missing)
		}
	}
}

func TestASurveyOfASilentBrokerEnds(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		connect(t, s, "a").Close()
		deaf := &deafness{InProcessConnProvider: s.InProcess()}
		b, err := bus.Connect(t.Context(), bus.Options{InProcess: deaf, Extra: []nats.Option{nats.PingInterval(time.Hour)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		surveyOf(t, b)
		deaf.on.Store(true)
		began := time.Now()
		_, err = b.Survey(t.Context())
		if took := time.Since(began); !errors.Is(err, bus.ErrUnavailable) || took > 7*time.Second || !strings.Contains(err.Error(), "2 of 2") {
			t.Errorf("survey of a broker that hears nothing: got %v after %s, want %v within 7s", err, took, bus.ErrUnavailable)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = b.Survey(ctx); !errors.Is(err, bus.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a second only: got %v, want %v", err, bus.ErrUnavailable)
		}
	})
}

// One queue that does not answer does not hide the others.
func TestASurveyTellsWhatItKnowsWhenSomeDoNotAnswer(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		backstopped(t, s)
		deaf := &deafness{InProcessConnProvider: s.InProcess(), to: "$JS.API.CONSUMER.LIST."}
		b, err := bus.Connect(t.Context(), bus.Options{InProcess: deaf, Extra: []nats.Option{nats.PingInterval(time.Hour)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		publish(t, b, bus.Envelope{Agent: "a"})
		if _, err := s.Connect(t).SubscribeSync(deaf.elsewhere() + ">"); err != nil { // hears, and is silent
			t.Fatal(err)
		}
		spend(t.Context(), time.Second)
		deaf.on.Store(true)
		got := surveyOf(t, b)
		if q, ok := got.Stream(bus.RequestStream("a")); !ok || q.Messages != 1 {
			t.Errorf("queue of a: got %+v, want one message", q)
		}
		for _, l := range bus.Lanes() {
			if l := lane(t, got, "a", l); !strings.Contains(l.Problem, "did not answer") || l.Missing {
				t.Errorf("lane: got %+v, want it to have a problem", l)
			}
		}
		deaf.on.Store(false)
		if l := lane(t, surveyOf(t, b), "a", bus.LaneInteractive); l.Lag != 1 || l.Problem != "" {
			t.Errorf("lane: got %+v, want a lag of 1 and no problem", l)
		}
	})
}

// deafness makes connections whose other end hears nothing while it is on, or only
// nothing that is sent to some subjects.
type deafness struct {
	nats.InProcessConnProvider
	on atomic.Bool
	to string // a prefix of those subjects; empty: all
}

func (d *deafness) InProcessConn() (net.Conn, error) {
	c, err := d.InProcessConnProvider.InProcessConn()
	return &deafConn{c, d}, err
}

// elsewhere is as long as the prefix.
func (d *deafness) elsewhere() string { return strings.Repeat("x", len(d.to)-1) + "." }

type deafConn struct {
	net.Conn
	d *deafness
}

func (c *deafConn) Write(p []byte) (int, error) {
	switch {
	case !c.d.on.Load():
		return c.Conn.Write(p)
	case c.d.to == "":
		return len(p), nil
	}
	return c.Conn.Write(bytes.ReplaceAll(p, []byte(c.d.to), []byte(c.d.elsewhere())))
}
