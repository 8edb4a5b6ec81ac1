package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// StreamHealth is the stream of the health events.
const StreamHealth = "GENESIS_HEALTH"

const healthPrefix = "genesis.health."

// A HealthState is how a component is. The zero value is none of them: not known.
type HealthState string

// The states, the better first.
const (
	StateHealthy   HealthState = "healthy"
	StateDegraded  HealthState = "degraded"  // it works, but worse than it should
	StateUnhealthy HealthState = "unhealthy" // it does not do its work
)

// Rank orders states: 0 healthy or not known, 1 degraded, 2 unhealthy.
func (s HealthState) Rank() int {
	switch s {
	case StateUnhealthy:
		return 2
	case StateDegraded:
		return 1
	case StateHealthy:
	}
	return 0
}

// A HealthKind is what sort of thing a component is.
type HealthKind string

// The kinds of the wire contract.
const (
	KindSystem     HealthKind = "system"     // the whole of something, as `ledger`
	KindAgent      HealthKind = "agent"      // by name
	KindBreaker    HealthKind = "breaker"    // by the name of its provider
	KindWorker     HealthKind = "worker"     // a replica
	KindDependency HealthKind = "dependency" // what Genesis stands on, as `nats`
	KindStream     HealthKind = "stream"     // by name
)

// HealthKinds lists the kinds.
func HealthKinds() []HealthKind {
	return []HealthKind{KindSystem, KindAgent, KindBreaker, KindWorker, KindDependency, KindStream}
}

// A Component is something whose health is watched.
type Component struct {
	Kind HealthKind `json:"kind"`
	Name string     `json:"name"`
}

// String is the component as the subject of a CloudEvent names it: <kind>/<name>.
func (c Component) String() string { return string(c.Kind) + "/" + c.Name }

// ParseComponent reads what String wrote. Its error wraps [ErrInvalid].
func ParseComponent(s string) (Component, error) {
	kind, name, ok := strings.Cut(s, "/")
	for _, k := range HealthKinds() {
		if ok && kind == string(k) && name != "" {
			return Component{k, name}, nil
		}
	}
	return Component{}, fmt.Errorf("%w: component %q: want KIND/NAME, with a kind of %q", ErrInvalid, clip(s), HealthKinds())
}

// HealthSubject is where the events of a component are published. Of a name only
// letters, digits, dashes and underscores stay as they are; any other byte becomes =XX.
func HealthSubject(c Component) string {
	return healthPrefix + string(c.Kind) + "." + keyToken(c.Name)
}

// HealthData is what a health event tells. Figures that mean nothing to a component are
// nil, and null on the wire.
type HealthData struct {
	State    HealthState `json:"state"`
	Previous HealthState `json:"previous"`
	// Reason names the cause with its figures, for people.
	Reason      string   `json:"reason"`
	Lag         *uint64  `json:"lag"`
	OldestAge   *float64 `json:"oldest_age_s"`
	ArrivalRate *float64 `json:"arrival_rate"` // requests a second
	ServiceRate *float64 `json:"service_rate"` // requests a second
	// EstimatedRecovery is when it should be over; nil when nobody can tell.
	EstimatedRecovery *time.Time `json:"estimated_recovery"`
	AffectedServices  []string   `json:"affected_services"` // names of agents; never nil on the wire
}

// A HealthEvent says that the state of a component changed. On the wire it is a
// CloudEvent 1.0 in structured JSON (cloudevents.io).
type HealthEvent struct {
	ID        string // unique with its source; empty: one is made when it is published
	Time      time.Time
	Component Component
	Data      HealthData
}

// The types of health events: one a state.
const (
	eventPrefix  = "genesis.health."
	eventSource  = "/genesis/monitor"
	eventVersion = "1.0"
	eventJSON    = "application/json"

	// ContentTypeEvent is the media type of a health event.
	ContentTypeEvent = "application/cloudevents+json"
)

// Type is the CloudEvents type: genesis.health.degraded, .unhealthy or .recovered.
func (e *HealthEvent) Type() string {
	if e.Data.State == StateHealthy {
		return eventPrefix + "recovered"
	}
	return eventPrefix + string(e.Data.State)
}

// cloudEvent is a health event as it is written.
type cloudEvent struct {
	SpecVersion     string     `json:"specversion"`
	ID              string     `json:"id"`
	Source          string     `json:"source"`
	Type            string     `json:"type"`
	Subject         string     `json:"subject"`
	Time            time.Time  `json:"time"`
	DataContentType string     `json:"datacontenttype"`
	Data            HealthData `json:"data"`
}

// MarshalJSON writes the CloudEvent.
func (e HealthEvent) MarshalJSON() ([]byte, error) {
	data := e.Data
	if data.AffectedServices == nil {
		data.AffectedServices = []string{}
	}
	return json.Marshal(cloudEvent{
		eventVersion, e.ID, eventSource, e.Type(), e.Component.String(), e.Time.UTC(), eventJSON, data,
	})
}

// UnmarshalJSON reads a CloudEvent that is a health event. Attributes and keys that it
// does not know are ignored.
func (e *HealthEvent) UnmarshalJSON(text []byte) error {
	var c cloudEvent
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	if c.SpecVersion != eventVersion || !strings.HasPrefix(c.Type, eventPrefix) {
		return errors.New("not a health event: want a CloudEvent 1.0 with a type of " + eventPrefix + "<state>")
	}
	component, err := ParseComponent(c.Subject)
	if err != nil {
		return err
	}
	*e = HealthEvent{ID: c.ID, Time: c.Time, Component: component, Data: c.Data}
	return nil
}
