package telemetry

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"genesis/pkg/bus"
)

func TestTheErrorRateIsThatOfTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry("worker", "dev")
		w := NewWorker(r)
		echo, probe := w.Agent("echo"), w.Agent("probe")
		observe := func(a *Agent, n int, v bus.Verdict) {
			for range n {
				a.Observe(settled(v, func(s *bus.Settlement) { s.Err = errors.New("boom") }))
			}
		}
		expect := func(when string, requests, failed uint64, rate string) {
			t.Helper()
			if gotRequests, gotErrors := w.Ended("echo"); gotRequests != requests || gotErrors != failed {
				t.Errorf("%s: got %d of %d, want %d of %d", when, gotErrors, gotRequests, failed, requests)
			}
			if got := scrape(t, r)[`genesis_error_rate{agent="echo"}`]; got != rate {
				t.Errorf("%s: got the rate %q, want %s", when, got, rate)
			}
		}
		expect("at the start", 0, 0, "0")
		observe(echo, 6, bus.VerdictSuccess)
		observe(echo, 1, bus.VerdictExhausted)
		observe(echo, 1, bus.VerdictExpired)
		observe(echo, 100, bus.VerdictRetryable) // comes back: no end
		observe(echo, 100, bus.VerdictRejected)
		observe(probe, 5, bus.VerdictPermanent)
		expect("after two of eight failed", 8, 2, "0.25")
		time.Sleep(30 * time.Second)
		observe(echo, 2, bus.VerdictPanic)
		expect("half a minute later", 10, 4, "0.4")
		time.Sleep(29*time.Second + 999*time.Millisecond)
		expect("just within the minute", 10, 4, "0.4")
		time.Sleep(time.Millisecond)
		expect("when the first are older", 2, 2, "1")
		time.Sleep(time.Minute)
		expect("when all are", 0, 0, "0")
		if requests, failed := w.Ended("nobody"); requests != 0 || failed != 0 {
			t.Errorf("an agent that is not served: got %d of %d, want 0 of 0", failed, requests)
		}
	})
}

// TestTheWindowAgreesWithAList plays any order of events and pauses against a list that
// forgets nothing.
func TestTheWindowAgreesWithAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// rapid asks a *testing.T for its deadline, which a bubble refuses.
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
			w := newWindow()
			type event struct {
				second int64
				failed bool
			}
			var events []event
			for range rapid.IntRange(1, 60).Draw(rt, "steps") {
				if pause := rapid.IntRange(0, 90_000).Draw(rt, "pause in ms"); pause%3 != 0 {
					time.Sleep(time.Duration(pause) * time.Millisecond)
				}
				failed := rapid.Bool().Draw(rt, "failed")
				w.add(failed)
				events = append(events, event{w.second(), failed})
				var requests, failures uint64
				for _, e := range events {
					if w.second()-e.second < rateSeconds {
						requests++
						if e.failed {
							failures++
						}
					}
				}
				if gotRequests, gotFailures := w.ended(); gotRequests != requests || gotFailures != failures {
					rt.Fatalf("got %d of %d, want %d of %d, after %v", gotFailures, gotRequests, failures, requests, events)
				}
			}
		})
	})
}
