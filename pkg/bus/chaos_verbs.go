package bus

import (
	"time"

	"genesis/pkg/resilience"
)

// CommandChaos asks workers which faults they inject: a [ChaosReply].
const CommandChaos = "chaos"

// A ChaosReply is what one replica knows of chaos.
type ChaosReply struct {
	Replica     string        `json:"replica"`
	Environment string        `json:"environment"`
	Scenarios   []ActiveChaos `json:"scenarios"`
}

// ActiveChaos is a scenario at work on one replica.
type ActiveChaos struct {
	Name     string    `json:"name"`
	Occurred int       `json:"occurred"` // how many calls it hit there
	Until    time.Time `json:"until"`
}

// ChaosVerbs are the commands about chaos, for [Bus.ServeWorker]. A worker in
// production serves them, too: its environment is what refuses chaos.
func (b *Bus) ChaosVerbs(replica, environment string, chaos *resilience.Chaos) map[string]ControlFunc {
	return map[string]ControlFunc{CommandChaos: func([]byte) (any, error) {
		r := ChaosReply{Replica: replica, Environment: environment, Scenarios: []ActiveChaos{}}
		for _, s := range chaos.List() {
			r.Scenarios = append(r.Scenarios, ActiveChaos{Name: s.Name, Occurred: s.Occurred, Until: s.Until.UTC()})
		}
		return r, nil
	}}
}
