package health

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"genesis/pkg/bus"
)

// Bounds of an [Overview], which is kept in a lease and renewed each second.
const (
	maxIll      = 100
	maxAffected = 100
)

// The two words for the whole system, of the guide.
const (
	StatusHealthy  = "healthy"
	StatusDegraded = "degraded"
)

// An Overview is how the whole system is, in short. Monitors serve it, and the one that
// leads keeps it in its lease, so that gateways know it live.
type Overview struct {
	// Status is degraded when anything is not healthy that requests depend on, or else
	// healthy. A lost worker whose agents are served by others is no harm to them.
	Status string `json:"status"`
	// Message says it to people in one sentence.
	Message string `json:"message"`
	// AffectedServices are the agents that suffer, and nats; the first 100, sorted.
	AffectedServices []string `json:"affected_services"`
	// EstimatedRecovery is when the last component should be well again; nil when all is
	// well, or when nobody can tell of one of them.
	EstimatedRecovery *time.Time `json:"estimated_recovery"`
	Round             time.Time  `json:"round"`    // when the system was last looked at
	Interval          float64    `json:"interval"` // seconds between two looks
	// Components are those that are not healthy, the worst first, at most 100; More
	// counts the others.
	Components []Ill `json:"components"`
	More       int   `json:"more"`
	// Config is the digest of the thresholds that it was judged by.
	Config string `json:"config"`
}

// Ill is a component that is not healthy.
type Ill struct {
	Component         string          `json:"component"` // kind/name
	State             bus.HealthState `json:"state"`
	Since             time.Time       `json:"since"`
	Reason            string          `json:"reason"`
	EstimatedRecovery *time.Time      `json:"estimated_recovery"`
}

// NewOverview sums up what a watch stands by after the round of that time, with rounds at
// that interval, and thresholds of that digest.
func NewOverview(standings []Standing, round time.Time, interval time.Duration, config string) Overview {
	o := Overview{
		Status: StatusHealthy, Message: "all systems are operational", AffectedServices: []string{},
		Round: round, Interval: interval.Seconds(), Components: []Ill{}, Config: config,
	}
	ill := slices.DeleteFunc(slices.Clone(standings), func(s Standing) bool { return s.State.Rank() == 0 })
	if len(ill) == 0 {
		return o
	}
	slices.SortStableFunc(ill, func(a, b Standing) int {
		return cmp.Or(rankOf(b.hurts())-rankOf(a.hurts()), b.State.Rank()-a.State.Rank(), precedence(a.Component.Kind)-precedence(b.Component.Kind), compare(a.Component, b.Component))
	})
	o.Message = message(ill)
	if slices.ContainsFunc(ill, Standing.hurts) {
		o.Status, o.EstimatedRecovery = StatusDegraded, lastRecovery(ill)
	} else {
		o.Message = "all agents are served; " + o.Message
	}
	for _, s := range ill {
		o.AffectedServices = append(o.AffectedServices, s.Affects...)
		if s.Component.Kind == bus.KindDependency {
			o.AffectedServices = append(o.AffectedServices, s.Component.Name)
		}
		if len(o.Components) < maxIll {
			o.Components = append(o.Components, Ill{s.Component.String(), s.State, s.Since, s.Reason, s.EstimatedRecovery})
		}
	}
	o.More = len(ill) - len(o.Components)
	slices.Sort(o.AffectedServices)
	o.AffectedServices = slices.Compact(o.AffectedServices)
	o.AffectedServices = o.AffectedServices[:min(maxAffected, len(o.AffectedServices))]
	return o
}

func rankOf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// hurts tells that requests suffer.
func (s Standing) hurts() bool { return s.Component.Kind != bus.KindWorker || len(s.Affects) > 0 }

// message names the worst, and how many others there are.
func message(ill []Standing) string {
	worst := ill[0]
	text := fmt.Sprintf("%s %s is %s: %s", worst.Component.Kind, worst.Component.Name, worst.State, worst.Reason)
	switch more := len(ill) - 1; {
	case more == 1:
		text += "; one more component is not healthy"
	case more > 1:
		text += fmt.Sprintf("; %d more components are not healthy", more)
	}
	return text
}

// lastRecovery is when the last of them should be well; nil when one is not known.
func lastRecovery(ill []Standing) *time.Time {
	var last *time.Time
	for _, s := range ill {
		if !s.hurts() {
			continue
		}
		if s.EstimatedRecovery == nil {
			return nil
		}
		if last == nil || s.EstimatedRecovery.After(*last) {
			last = s.EstimatedRecovery
		}
	}
	return last
}

// precedence orders kinds: what others depend on comes first.
func precedence(kind bus.HealthKind) int {
	order := []bus.HealthKind{bus.KindDependency, bus.KindStream, bus.KindSystem, bus.KindAgent, bus.KindBreaker, bus.KindWorker}
	return slices.Index(order, kind)
}
