package monitor

import (
	"math"
	"testing"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

func TestRatesAreTakenFromOneSurveyToTheNext(t *testing.T) {
	t.Parallel()
	type look struct {
		last, messages   uint64
		elapsed          time.Duration
		arrival, service float64
	}
	smoothed := 10 * (1 - math.Exp(-1)) // a rate of 10/s for 15 s after one of 0
	for _, tt := range []struct {
		promise string
		looks   []look
	}{
		{"the first look knows none", []look{{100, 100, 0, unknown, unknown}}},
		{"the second does", []look{{100, 100, 0, unknown, unknown}, {120, 110, 10 * time.Second, 2, 1}}},
		{"what arrives and is settled in between counts", []look{{0, 0, 0, unknown, unknown}, {50, 0, 5 * time.Second, 10, 10}}},
		{"a change is smoothed", []look{{0, 0, 0, unknown, unknown}, {0, 0, 15 * time.Second, 0, 0}, {150, 150, 15 * time.Second, smoothed, 0}}},
		{"after a gap there is none", []look{{100, 100, 0, unknown, unknown}, {900, 100, 0, unknown, unknown}, {910, 100, 10 * time.Second, 1, 1}}},
		{"a queue that was made anew has none", []look{{100, 10, 0, unknown, unknown}, {5, 5, time.Second, unknown, unknown}, {6, 5, time.Second, 1, 1}}},
		{"nothing for long is nothing", []look{{0, 0, 0, unknown, unknown}, {1, 1, time.Second, 1, 0}, {1, 1, time.Hour, 0, 0}}},
	} {
		f := newFlow()
		for i, l := range tt.looks {
			arrival, service := f.rates("echo", bus.StreamSurvey{LastSequence: l.last, Messages: l.messages}, l.elapsed)
			if math.Abs(arrival-l.arrival) > 1e-9 || math.Abs(service-l.service) > 1e-9 {
				t.Errorf("%s: look %d: got %g and %g, want %g and %g", tt.promise, i, arrival, service, l.arrival, l.service)
			}
		}
	}
}

// A stream that has no leader is in the survey without its figures.
func TestAQueueThatCouldNotBeReadHasNoRates(t *testing.T) {
	t.Parallel()
	f := newFlow()
	f.rates("echo", bus.StreamSurvey{LastSequence: 1_000_000, Messages: 10}, time.Second)
	for i, s := range []bus.StreamSurvey{{Problem: "no server leads it"}, {LastSequence: 1_000_000, Messages: 10}} {
		if arrival, service := f.rates("echo", s, time.Second); arrival != unknown || service != unknown {
			t.Errorf("look %d: got %g and %g, want that they are not known", i, arrival, service)
		}
	}
	if arrival, _ := f.rates("echo", bus.StreamSurvey{LastSequence: 1_000_003, Messages: 10}, time.Second); arrival != 3 {
		t.Errorf("afterwards: got %g, want 3", arrival)
	}
}

func TestAnAgentThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	f := newFlow()
	f.rates("echo", bus.StreamSurvey{LastSequence: 1}, 0)
	f.keep(func(string) bool { return false })
	if len(f.agents) != 0 {
		t.Errorf("got %v, want none", f.agents)
	}
}

func TestHistoryKeepsTheLastRoundsOfThoseWhoAreThere(t *testing.T) {
	t.Parallel()
	h := newHistory(3)
	round := func(lag uint64, agents ...string) {
		s := health.Snapshot{At: time.Now(), Broker: health.Broker{Connected: true}, Agents: map[string]health.Agent{}}
		for _, name := range agents {
			s.Agents[name] = health.Agent{Lag: lag, Arrival: unknown, Service: 2}
		}
		h.add(&s)
	}
	for lag := range uint64(5) {
		round(lag, "echo", "probe")
	}
	h.add(&health.Snapshot{At: time.Now()})                                                               // the broker is away
	h.add(&health.Snapshot{At: time.Now(), Broker: health.Broker{Connected: true, Problem: "no answer"}}) // or as good as that
	lags := func(agent string, n int) (all []uint64) {
		for _, p := range h.of(agent, n) {
			if p.ArrivalRate != nil || p.ServiceRate == nil || *p.ServiceRate != 2 {
				t.Errorf("a point of %s: got %+v, want no arrival rate, and a service rate of 2", agent, p)
			}
			all = append(all, p.Lag)
		}
		return all
	}
	if got := lags("echo", 100); len(got) != 3 || got[0] != 2 || got[2] != 4 {
		t.Errorf("history: got %d, want the last three rounds, 2 to 4", got)
	}
	if got := lags("echo", 1); len(got) != 1 || got[0] != 4 {
		t.Errorf("the last round: got %d, want 4", got)
	}
	round(9, "echo")
	if got := lags("probe", 100); got != nil {
		t.Errorf("history of an agent that is gone: got %d, want none", got)
	}
}
