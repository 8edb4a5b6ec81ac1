package resilience

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"syscall"
	"time"
)

// ScenarioKind is what a [Scenario] does.
type ScenarioKind string

// The kinds of scenario.
const (
	NetworkLatency   ScenarioKind = "network_latency"   // calls take Latency longer
	ServiceFailure   ScenarioKind = "service_failure"   // calls fail with Err
	CPUSpike         ScenarioKind = "cpu_spike"         // the machine computes at Load for Duration, beside the calls
	TransientFailure ScenarioKind = "transient_failure" // MaxOccurrences calls fail with Err, and then no more
	DisableService   ScenarioKind = "disable_service"   // every call of Services fails with Err
)

// The zero [Scenario]'s values.
const (
	defaultLatency       = time.Second
	defaultLoad          = 0.8
	defaultSpike         = 10 * time.Second
	defaultChaosDuration = 15 * time.Minute
)

// ErrChaos matches, by errors.Is, every failure that a [Chaos] injected.
var ErrChaos = errors.New("injected by chaos")

// Scenario is one fault to inject.
type Scenario struct {
	// Name tells scenarios apart. Empty: Kind.
	Name string
	Kind ScenarioKind

	// Probability is the share of calls it hits, up to 1. Zero: 1, every call.
	Probability float64

	// Services are the services it affects. Empty: all; [DisableService] must
	// name them.
	Services []string

	// Latency is what [NetworkLatency] adds. Zero: 1 s.
	Latency time.Duration

	// Err is what failing calls fail with, wrapped in a [*ChaosError]. Nil: a
	// refused connection, as [ConnectionFailed] knows it. A verdict in it counts.
	Err error

	// Load and Duration are those of a [CPUSpike]: the share of every core that
	// is kept busy, and how long. Zero: 0.8 and 10 s.
	Load     float64
	Duration time.Duration

	// MaxOccurrences is how many calls it hits in all. Zero: any number;
	// [TransientFailure] must say.
	MaxOccurrences int

	// ExpiresAfter is when it ends by itself. Zero: 15 minutes.
	ExpiresAfter time.Duration
}

func (s Scenario) withDefaults() Scenario {
	if s.Name == "" {
		s.Name = string(s.Kind)
	}
	if s.Probability == 0 {
		s.Probability = 1
	}
	if s.ExpiresAfter == 0 {
		s.ExpiresAfter = defaultChaosDuration
	}
	switch s.Kind {
	case NetworkLatency:
		if s.Latency == 0 {
			s.Latency = defaultLatency
		}
	case CPUSpike:
		if s.Load == 0 {
			s.Load = defaultLoad
		}
		if s.Duration == 0 {
			s.Duration = defaultSpike
		}
	case ServiceFailure, TransientFailure, DisableService:
		if s.Err == nil {
			s.Err = syscall.ECONNREFUSED
		}
	}
	return s
}

// check returns everything wrong with a scenario that has its defaults.
func (s Scenario) check() error {
	p := problems{policy: "chaos scenario " + s.Name}
	known, latency, spike, fails := true, s.Kind == NetworkLatency, s.Kind == CPUSpike, false
	switch s.Kind {
	case NetworkLatency, CPUSpike:
	case ServiceFailure, TransientFailure, DisableService:
		fails = true
	default:
		known = false
	}
	p.unless(known, "Kind", "is %q; it must be %s, %s, %s, %s or %s", s.Kind, NetworkLatency, ServiceFailure, CPUSpike, TransientFailure, DisableService)
	p.unless(s.Probability > 0 && s.Probability <= 1, "Probability", "is %v; it must be above 0 and at most 1", s.Probability)
	p.unless(s.ExpiresAfter > 0, "ExpiresAfter", "is %v; it must not be negative", s.ExpiresAfter)
	p.unless(s.MaxOccurrences >= 0, "MaxOccurrences", "is %d; it must not be negative", s.MaxOccurrences)
	p.unless(s.Kind != TransientFailure || s.MaxOccurrences != 0, "MaxOccurrences", "is missing; a transient failure ends")
	p.unless(s.Kind != DisableService || len(s.Services) > 0, "Services", "is missing; name the services to disable")
	p.unless(s.Kind != DisableService || s.Probability == 1 && s.MaxOccurrences == 0, "Kind", "is %s, which hits every call; for some of them take %s", s.Kind, ServiceFailure)
	p.unless(latency && s.Latency > 0 || !latency && s.Latency == 0, "Latency", "is %v; it must be above 0 for %s and is of no use otherwise", s.Latency, NetworkLatency)
	p.unless(fails || s.Err == nil || !known, "Err", "is of no use for %s", s.Kind)
	p.unless(spike && s.Load > 0 && s.Load <= 1 || !spike && s.Load == 0, "Load", "is %v; it must be above 0 and at most 1 for %s and is of no use otherwise", s.Load, CPUSpike)
	p.unless(spike && s.Duration > 0 || !spike && s.Duration == 0, "Duration", "is %v; it must be above 0 for %s and is of no use otherwise", s.Duration, CPUSpike)
	for i, service := range s.Services {
		p.unless(service != "", fmt.Sprintf("Services[%d]", i), "is empty")
	}
	return p.err()
}

// ChaosError is a failure that a [Chaos] injected. It matches [ErrChaos].
type ChaosError struct {
	Scenario string // its name
	Service  string
	Err      error
}

// Error says that it was injected, by what and where.
func (e *ChaosError) Error() string {
	return fmt.Sprintf("%s: %v (%s, chaos)", e.Service, e.Err, e.Scenario)
}

// Is reports whether target is [ErrChaos].
func (e *ChaosError) Is(target error) bool { return target == ErrChaos }

// Unwrap returns the scenario's error.
func (e *ChaosError) Unwrap() error { return e.Err }

// active is a scenario at work.
type active struct {
	Scenario
	until       time.Time
	occurrences atomic.Int64
	calls       map[string]*atomic.Uint64 // by service, guarded by the Chaos's mu
}

// hits decides about the n-th call of a service. Whether it is one of those the
// probability picks depends on the seed, the names and n alone.
func (a *active) hits(seed uint64, service string, n uint64) bool {
	if a.Probability < 1 && draw(seed, a.Name, service, n) >= a.Probability {
		return false
	}
	return a.occurrences.Add(1) <= int64(a.MaxOccurrences) || a.MaxOccurrences == 0
}

// occurred returns how many calls it hit.
func (a *active) occurred() int {
	n := a.occurrences.Load()
	if a.MaxOccurrences > 0 {
		n = min(n, int64(a.MaxOccurrences))
	}
	return int(n)
}

// draw returns the n-th number of a sequence within 0 and 1, even and as good as
// random: the FNV-1a hash of the names, stirred by SplitMix64.
func draw(seed uint64, name, service string, n uint64) float64 {
	h := uint64(14695981039346656037)
	for _, s := range [...]string{name, "\x00", service} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	return float64(stir(stir(seed^h)+n)>>11) / (math.MaxUint64>>11 + 1)
}

func stir(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
