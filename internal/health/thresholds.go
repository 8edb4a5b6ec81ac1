package health

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"genesis/pkg/bus"
)

// leave is the part of a threshold below which it is left, once it was crossed.
const leave = 0.8

// A Level is from which value on something is degraded, and from which unhealthy. A
// value of 0 is none: never.
type Level[T uint64 | float64 | time.Duration] struct {
	Degraded  T `json:"degraded"`
	Unhealthy T `json:"unhealthy"`
}

// state is how something of value v is, by scale of the thresholds.
func (l Level[T]) state(v T, scale float64) bus.HealthState {
	switch at := float64(v); {
	case l.Unhealthy > 0 && at >= scale*float64(l.Unhealthy):
		return bus.StateUnhealthy
	case l.Degraded > 0 && at >= scale*float64(l.Degraded):
		return bus.StateDegraded
	}
	return bus.StateHealthy
}

// Limits are the thresholds of one agent.
type Limits struct {
	Lag       Level[uint64]        `json:"lag"`
	OldestAge Level[time.Duration] `json:"oldest_age"`
	// DrainTime is the time to drain in multiples of the agent's timeout.
	DrainTime Level[float64] `json:"drain_time"`
	// ErrorRate is the share of failures among at least MinRequests in a minute.
	ErrorRate   Level[float64] `json:"error_rate"`
	MinRequests uint64         `json:"min_requests"`
	DeadLetters Level[uint64]  `json:"dead_letters"` // a minute
	// StreamFull is the used share of a stream's limit, of the broker's storage too.
	StreamFull Level[float64] `json:"stream_full"`
}

// Thresholds are everything that verdicts depend on besides what is seen.
type Thresholds struct {
	// WorseAfter and BetterAfter are how many rounds in a row must say so before a state
	// worsens or improves; below 1 they count as 1.
	WorseAfter  int `json:"worse_after"`
	BetterAfter int `json:"better_after"`
	// Every holds for what has no limits of its own in Agents, by name.
	Every  Limits            `json:"every"`
	Agents map[string]Limits `json:"agents"`
}

// DefaultThresholds are those of the configuration's defaults.
func DefaultThresholds() Thresholds {
	return Thresholds{
		WorseAfter:  2,
		BetterAfter: 3,
		Every: Limits{
			Lag:         Level[uint64]{1000, 10000},
			OldestAge:   Level[time.Duration]{time.Minute, 10 * time.Minute},
			DrainTime:   Level[float64]{2, 10},
			ErrorRate:   Level[float64]{0.1, 0.5},
			MinRequests: 10,
			DeadLetters: Level[uint64]{1, 10},
			StreamFull:  Level[float64]{0.8, 0.95},
		},
	}
}

// Of returns the limits of an agent.
func (t *Thresholds) Of(agent string) Limits {
	if own, ok := t.Agents[agent]; ok {
		return own
	}
	return t.Every
}

// Digest is a short text that is the same for thresholds that judge alike, and different
// otherwise: two monitors compare it.
func (t Thresholds) Digest() string {
	agents := make(map[string]Limits, len(t.Agents))
	for name, own := range t.Agents {
		if own != t.Every {
			agents[name] = own
		}
	}
	t.Agents = agents
	t.WorseAfter, t.BetterAfter = max(1, t.WorseAfter), max(1, t.BetterAfter)
	text, err := json.Marshal(t)
	if err != nil { // a number that JSON has no word for
		return "unknown"
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}
