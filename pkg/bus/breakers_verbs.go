package bus

import (
	"encoding/json"
	"fmt"

	"genesis/pkg/resilience"
)

// The commands about breakers that a worker takes.
const (
	CommandBreakers       = "breakers"        // list them: a [BreakersReply]
	CommandBreakerReset   = "breaker-reset"   // a [BreakerCommand], answered by a [BreakerReply]
	CommandBreakerIsolate = "breaker-isolate" // the same
	CommandBreakerRelease = "breaker-release" // the same
)

// A BreakerCommand says which breaker is meant, and who does it and why.
type BreakerCommand struct {
	Name     string `json:"name"`
	Operator string `json:"operator"`
	Reason   string `json:"reason"`
}

// BreakersReply are the breakers of one replica.
type BreakersReply struct {
	Replica  string                    `json:"replica"`
	Breakers []resilience.BreakerStats `json:"breakers"`
}

// BreakerReply is what a command did to the breaker of one replica. A replica without
// such a breaker does nothing and says so.
type BreakerReply struct {
	Replica string                   `json:"replica"`
	Found   bool                     `json:"found"`
	Before  *resilience.BreakerStats `json:"before,omitempty"`
	After   *resilience.BreakerStats `json:"after,omitempty"`
}

// BreakerVerbs are the commands about breakers, for [Bus.ServeWorker]. What operators
// do is logged at Warn.
func (b *Bus) BreakerVerbs(replica string, breakers *resilience.Breakers) map[string]ControlFunc {
	verb := func(command string, do func(*resilience.Breaker)) ControlFunc {
		return func(data []byte) (any, error) {
			var c BreakerCommand
			if err := json.Unmarshal(data, &c); err != nil {
				return nil, fmt.Errorf("%s: %w", command, err)
			}
			breaker, found := breakers.Get(c.Name)
			if !found {
				return BreakerReply{Replica: replica}, nil
			}
			before := breaker.Stats()
			do(breaker)
			after := breaker.Stats()
			b.log.Warn("an operator changes a breaker", "command", command, "breaker", c.Name,
				"operator", oneLine(c.Operator, maxErrorText), "reason", oneLine(c.Reason, maxErrorText),
				"from", before.State, "to", after.State)
			return BreakerReply{Replica: replica, Found: true, Before: &before, After: &after}, nil
		}
	}
	return map[string]ControlFunc{
		CommandBreakers: func([]byte) (any, error) {
			return BreakersReply{Replica: replica, Breakers: breakers.Stats()}, nil
		},
		CommandBreakerReset:   verb(CommandBreakerReset, (*resilience.Breaker).Reset),
		CommandBreakerIsolate: verb(CommandBreakerIsolate, (*resilience.Breaker).Isolate),
		CommandBreakerRelease: verb(CommandBreakerRelease, (*resilience.Breaker).Release),
	}
}
