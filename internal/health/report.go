package health

import (
	"time"

	"genesis/pkg/bus"
)

// A LagReport is how much work every agent has, at the last round. It is the answer of
// a monitor to GET /v1/lag, and to bus.CommandLag.
type LagReport struct {
	At       time.Time  `json:"at"`         // when it was seen, by the broker's clock
	Interval float64    `json:"interval_s"` // between two rounds
	Monitor  string     `json:"monitor"`
	Agents   []AgentLag `json:"agents"`
}

// An AgentLag is the work of one agent. What is null is not known.
type AgentLag struct {
	Agent             string          `json:"agent"`
	State             bus.HealthState `json:"state"`
	Reason            string          `json:"reason"`
	Lag               uint64          `json:"lag"`
	OldestAge         float64         `json:"oldest_age_s"`
	ArrivalRate       *float64        `json:"arrival_rate"` // requests a second
	ServiceRate       *float64        `json:"service_rate"`
	DrainTime         *float64        `json:"drain_s"` // until the lag is worked off, if nothing came; null: never, or not known
	EstimatedRecovery *time.Time      `json:"estimated_recovery"`
	Workers           int             `json:"workers"`
	Slots             int             `json:"slots"`
	SlotsInUse        int             `json:"slots_in_use"`
	ErrorRate         float64         `json:"error_rate"` // of what ended in the last minute
	DeadLetters       uint64          `json:"dead_letters"`
	Lanes             []LaneLag       `json:"lanes"`
	History           []Point         `json:"history,omitempty"`
}

// A LaneLag is the work of one lane.
type LaneLag struct {
	Lane        bus.Lane `json:"lane"`
	Pending     uint64   `json:"pending"`
	InFlight    uint64   `json:"in_flight"`
	Lag         uint64   `json:"lag"`
	Redelivered uint64   `json:"redelivered"`
	OldestAge   float64  `json:"oldest_age_s"`
}

// A Point is an agent in one round.
type Point struct {
	At          time.Time `json:"at"`
	Lag         uint64    `json:"lag"`
	OldestAge   float64   `json:"oldest_age_s"`
	ArrivalRate *float64  `json:"arrival_rate"` // null: not known
	ServiceRate *float64  `json:"service_rate"`
}

// A LagCommand is the data of bus.CommandLag: which agent; none: all.
type LagCommand struct {
	Agent string `json:"agent"`
}
