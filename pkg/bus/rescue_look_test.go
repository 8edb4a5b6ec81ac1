package bus_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// x1 is in flight and holds the floor back, x2 was given up.
func oneHeldOneGivenUp(t *testing.T, b *bus.Bus) {
	t.Helper()
	publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
	pick(t, b, 1)
	publish(t, b, bus.Envelope{Agent: "a", ID: "x2"})
	strand(t, b, 1)
}

func TestAnAdvisoryTellsWhatTheFloorCannot(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		oneHeldOneGivenUp(t, b)
		if found := rescues(t, b); len(found) != 0 {
			t.Errorf("rescued without the advisory: %+v", found)
		}
		mustBeRescued(t, b, looked(t, b.NewRescuer(), b), "x2")
		if d := letter(t, b, "a", "x2"); d.Deliveries != 1 {
			t.Errorf("deliveries in the dead letter: got %d, want 1", d.Deliveries)
		}
		if n := inFlight(t, b, bus.LaneInteractive); n != 1 || queued(t, b, "a") != 1 {
			t.Errorf("in flight: got %d of %d queued, want x1 alone", n, queued(t, b, "a"))
		}
	})
}

func TestWithoutAdvisoriesTheSecondLookFinds(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		if err := b.JetStream().DeleteStream(t.Context(), bus.StreamAdvisories); err != nil {
			t.Fatal(err)
		}
		oneHeldOneGivenUp(t, b)
		if err := b.Cancel(t.Context(), "a", "x1", ""); err != nil { // nothing holds the floor back now
			t.Fatal(err)
		}
		r := b.NewRescuer()
		if found := looked(t, r, b); len(found) != 0 {
			t.Errorf("rescued at the first look: %+v", found)
		}
		mustBeRescued(t, b, looked(t, r, b), "x2")
		for range 20 {
			if found := looked(t, r, b); len(found) != 0 {
				t.Errorf("rescued again: %+v", found)
			}
		}
	})
}

func TestAnAdvisoryOfARequestThatIsDeliveredAfterAllIsIgnored(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(t *testing.T, b *bus.Bus)
	}{
		{"its worker was only late", func(t *testing.T, b *bus.Bus) {
			publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
			limits(t, b)
			late := pick(t, b, 1)
			spend(t.Context(), time.Minute)
			advised(t, b, 1)
			if err := late[0].DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"its consumer was made anew", func(t *testing.T, b *bus.Bus) {
			oneHeldOneGivenUp(t, b)
			spend(t.Context(), time.Second)
			if err := b.JetStream().DeleteConsumer(t.Context(), bus.RequestStream("a"), string(bus.LaneInteractive)); err != nil {
				t.Fatal(err)
			}
			if err := b.EnsureConsumers(t.Context(), "a", time.Minute); err != nil {
				t.Fatal(err)
			}
			if got := pick(t, b, 5); len(got) != 2 {
				t.Fatalf("the new consumer delivers %d requests, want 2", len(got))
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := backstopped(t, s)
				tt.then(t, b)
				r := b.NewRescuer()
				for range 3 {
					if found := looked(t, r, b); len(found) != 0 {
						t.Errorf("rescued: got %+v, want nothing", found)
					}
				}
			})
		})
	}
}

// The survey is older than the advisories, and does not know the request.
func TestAnAdvisoryOfARequestThatCameAfterTheSurveyIsKept(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		publish(t, b, bus.Envelope{Agent: "a", ID: "x0"}) // an advisory that the survey does know
		strand(t, b, 1)
		if err := b.Cancel(t.Context(), "a", "x0", ""); err != nil {
			t.Fatal(err)
		}
		emptied(t, b, "a")
		before, err := b.Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		edits(t, b, func(cfg *jetstream.ConsumerConfig) { cfg.MaxDeliver = -1 })
		oneHeldOneGivenUp(t, b)
		advised(t, b, 2)
		r := b.NewRescuer()
		var found []bus.Rescued
		if found, err = r.Look(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		mustBeRescued(t, b, append(found, looked(t, r, b)...), "x2")
	})
}

// What cannot be rescued now is tried again, though its advisory is read.
func TestARescueThatWasCutOffIsFinishedLater(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		oneHeldOneGivenUp(t, b)
		dead, err := b.JetStream().Stream(t.Context(), bus.StreamDeadLetters)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.JetStream().DeleteStream(t.Context(), bus.StreamDeadLetters); err != nil {
			t.Fatal(err)
		}
		r := b.NewRescuer()
		found := looked(t, r, b)
		if len(found) != 1 || found[0].Err == nil || queued(t, b, "a") != 2 {
			t.Fatalf("without a dead-letter stream: got %+v, want x2 with an error, and in its queue", found)
		}
		create(t, b, dead.CachedInfo().Config)
		mustBeRescued(t, b, looked(t, r, b), "x2")
	})
}

// A request whose result is there is no dead letter, whoever left its message behind.
func TestAnAnsweredRequestThatWasLeftBehindIsOnlyRemoved(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		receipt := publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
		send(t, b, bus.ResultSubject("a", "x1"), `{"id":"x1","agent":"a","success":true,"output":{"text":"hi"}}`,
			bus.HeaderOriginStream, receipt.Stream, bus.HeaderOriginSequence, "1", bus.HeaderOriginTime, time.Now().Format(time.RFC3339Nano))
		strand(t, b, 1)
		found := looked(t, b.NewRescuer(), b)
		if len(found) != 1 || found[0].ID != "x1" || found[0].Err != nil {
			t.Errorf("rescued: got %+v, want x1", found)
		}
		if n := queued(t, b, "a"); n != 0 {
			t.Errorf("queued: got %d, want 0", n)
		}
		if got := list(t, b, bus.DeadLetterFilter{}); len(got) != 0 {
			t.Errorf("dead letters: got %q, want none", got)
		}
		if !result(t, b, "a", "x1").Success {
			t.Error("its result was replaced")
		}
		mustHold(t, b)
	})
}

// Who was left behind on the way to the dead letters gets there for the first reason.
func TestACondemnedRequestThatWasLeftBehindKeepsItsReason(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := backstopped(t, s)
		dead, err := b.JetStream().Stream(t.Context(), bus.StreamDeadLetters)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.JetStream().DeleteStream(t.Context(), bus.StreamDeadLetters); err != nil {
			t.Fatal(err)
		}
		publish(t, b, bus.Envelope{Agent: "a", ID: "x1"})
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: script(resilience.Permanent(errors.New("never"))), Logger: quiet()})
		if got := verdicts(t, p, 1); got[0] != bus.VerdictHeld {
			t.Fatalf("verdict without a dead-letter stream: got %s, want %s", got[0], bus.VerdictHeld)
		}
		p.stop()
		create(t, b, dead.CachedInfo().Config)
		limits(t, b)
		spend(t.Context(), time.Minute)
		pick(t, b, 1)
		advised(t, b, 1)
		if found := looked(t, b.NewRescuer(), b); len(found) != 1 || found[0].Err != nil {
			t.Errorf("rescued: got %+v, want x1", found)
		}
		if d := letter(t, b, "a", "x1"); d.Reason != bus.DeadPermanent || d.Error != "never" {
			t.Errorf("dead letter: got %s because %q, want it permanent because of its agent", d.Reason, d.Error)
		}
		mustHold(t, b)
	})
}

// A queue whose figures differ by chance is searched seldom.
func TestAQueueIsSearchedWhenItHoldsMoreThanItsLanesCountTwiceInARow(t *testing.T) {
	for _, tt := range []struct {
		name     string
		messages []uint64 // of each look; the lanes count 10
		searched []int
	}{
		{"all are counted", []uint64{10, 10, 10}, nil},
		{"more are counted than are there", []uint64{9, 8, 8}, nil},
		{"one too many, once", []uint64{11, 10, 11, 10}, nil},
		{"ever another number", []uint64{11, 12, 13, 12}, nil},
		{"one too many", []uint64{11, 11}, []int{1}},
		{"one too many for long", slices.Repeat([]uint64{11}, 22), []int{1, 10, 19}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r bus.Rescuer
			var got []int
			for i, n := range tt.messages {
				s := bus.Survey{
					Streams: []bus.StreamSurvey{{Name: bus.RequestStream("a"), Messages: n, FirstSequence: 5}},
					Lanes:   []bus.LaneSurvey{{Agent: "a", Lane: bus.LaneInteractive, Lag: 7}, {Agent: "a", Lane: bus.LaneBatch, Lag: 3}},
				}
				if len(r.Suspects(s)) > 0 {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, tt.searched) {
				t.Errorf("searched at looks %v, want %v", got, tt.searched)
			}
		})
	}
}
