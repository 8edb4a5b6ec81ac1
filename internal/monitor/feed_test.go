package monitor

import (
	"slices"
	"strconv"
	"testing"

	"genesis/pkg/bus"
)

// told is an event as it is stored; sequence 0: it is not.
func told(id string, sequence uint64, state bus.HealthState) bus.StoredHealthEvent {
	return bus.StoredHealthEvent{HealthEvent: bus.HealthEvent{ID: id, Component: natsItself(), Data: bus.HealthData{State: state}}, Sequence: sequence}
}

// ids of the events that wait for a subscriber, or were missed.
func ids(missed []bus.StoredHealthEvent, events <-chan bus.StoredHealthEvent) []string {
	var all []string
	for _, e := range missed {
		all = append(all, e.ID)
	}
	for len(events) > 0 {
		e := <-events
		all = append(all, e.ID)
	}
	return all
}

func TestASubscriberIsToldOfEachEventOnce(t *testing.T) {
	t.Parallel()
	f := newFeed()
	_, events, cancel, err := f.subscribe(0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	f.add(told("a", 60, bus.StateDegraded))
	f.add(told("lost", 0, bus.StateUnhealthy))   // the bus does not know it yet
	f.add(told("lost", 61, bus.StateUnhealthy))  // and now it does
	f.add(told("lost2", 0, bus.StateUnhealthy))  // an outage
	f.add(told("other", 62, bus.StateUnhealthy)) // that another monitor put on the bus
	f.add(told("b", 1, bus.StateHealthy))        // the stream was made anew
	f.add(told("b", 1, bus.StateHealthy))
	if got, want := ids(nil, events), []string{"a", "lost", "lost2", "b"}; !slices.Equal(got, want) {
		t.Errorf("told: got %q, want %q", got, want)
	}
	var kept []uint64
	for _, e := range f.last(10) {
		kept = append(kept, e.Sequence)
	}
	if want := []uint64{1, 62, 61, 60}; !slices.Equal(kept, want) {
		t.Errorf("sequences kept, the newest first: got %d, want %d", kept, want)
	}
}

func TestWhoComesAgainIsToldOfWhatCameAfter(t *testing.T) {
	t.Parallel()
	f := newFeed()
	f.add(told("a", 5, bus.StateDegraded))
	f.add(told("alone", 0, bus.StateUnhealthy)) // never stored
	f.add(told("b", 6, bus.StateHealthy))
	f.add(told("c", 9, bus.StateDegraded))
	f.add(told("d", 2, bus.StateHealthy)) // of a new stream
	for after, want := range map[uint64][]string{
		4: {"a", "alone", "b", "c", "d"}, 5: {"alone", "b", "c", "d"}, 6: {"c", "d"}, 7: {"c", "d"}, 9: {"d"}, 2: nil, 100: nil,
	} {
		missed, events, cancel, err := f.subscribe(after, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(missed, events); !slices.Equal(got, want) {
			t.Errorf("after %d: got %q, want %q", after, got, want)
		}
		cancel()
	}
}

// A page that comes again at once after its monitor was restarted is there before the
// monitor has read what happened meanwhile.
func TestWhoComesAgainTooEarlyMissesNothing(t *testing.T) {
	t.Parallel()
	f := newFeed()
	_, again, cancel, err := f.subscribe(6, true)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	_, fresh, cancelFresh, err := f.subscribe(0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer cancelFresh()
	f.add(told("outage", 0, bus.StateUnhealthy))
	for _, sequence := range []uint64{5, 6, 7, 8, 4} {
		f.recall(told(strconv.FormatUint(sequence, 10), sequence, bus.StateHealthy))
	}
	f.add(told("9", 9, bus.StateDegraded))
	if got, want := ids(nil, again), []string{"outage", "7", "8", "9"}; !slices.Equal(got, want) {
		t.Errorf("who had 6: got %q, want %q", got, want)
	}
	if got, want := ids(nil, fresh), []string{"outage", "9"}; !slices.Equal(got, want) {
		t.Errorf("who had none: got %q, want %q: old events are no news", got, want)
	}
	if got, want := ids(f.last(10), nil), []string{"9", "outage", "8", "7", "6", "5", "4"}; !slices.Equal(got, want) {
		t.Errorf("kept: got %q, want %q", got, want)
	}
}
