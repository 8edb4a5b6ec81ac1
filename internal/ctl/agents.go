package ctl

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// An agentRow is an agent with who serves it, and the work that waits for it. What is
// null is not known.
type agentRow struct {
	Agent      string           `json:"agent"`
	State      *bus.HealthState `json:"state"`
	Reason     string           `json:"reason"` // of a state that is not healthy
	Workers    int              `json:"workers"`
	Slots      int              `json:"slots"`
	SlotsInUse int              `json:"slots_in_use"`
	backlog
}

func newAgents(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "List the agents that requests can be sent to, and who serves them",
		Long: `List the agents that requests can be sent to: their state, if a monitor tells it, how
many workers serve each, how many of their slots are in use, and the work that waits.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			work, err := lookAtWork(cmd, b, "")
			if err != nil {
				return err
			}
			if err := list(c, cmd, agentRows(work), []column[agentRow]{
				{"AGENT", func(r agentRow) string { return r.Agent }},
				{"STATE", func(r agentRow) string { return known(r.State, stateText) }},
				{"WORKERS", func(r agentRow) string { return count(r.Workers) }},
				{"SLOTS", func(r agentRow) string { return fmt.Sprintf("%d/%d", r.SlotsInUse, r.Slots) }},
				{"PENDING", func(r agentRow) string { return known(r.Pending, count) }},
				{"IN FLIGHT", func(r agentRow) string { return known(r.InFlight, count) }},
				{"LAG", func(r agentRow) string { return known(r.Lag, count) }},
				{"OLDEST", func(r agentRow) string { return known(r.Oldest, seconds) }},
			}); err != nil {
				return err
			}
			return uncounted(work)
		},
	}
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func agentRows(work []health.AgentLag) []agentRow {
	var rows []agentRow
	for _, a := range work {
		rows = append(rows, agentRow{
			Agent: a.Agent, State: stateOf(&a), Reason: a.Reason, Workers: a.Workers, Slots: a.Slots, SlotsInUse: a.SlotsInUse, backlog: agentBacklog(&a),
		})
	}
	return rows
}

// agentBacklog adds up the lanes of an agent; not known when one of them is not.
func agentBacklog(a *health.AgentLag) backlog {
	var sum backlog
	for _, lane := range bus.Lanes() {
		l := laneBacklog(a, lane)
		switch {
		case l.Lag == nil:
			return backlog{}
		case sum.Lag == nil:
			sum = l
		default:
			*sum.Pending += *l.Pending
			*sum.InFlight += *l.InFlight
			*sum.Lag += *l.Lag
			*sum.Redelivered += *l.Redelivered
			*sum.Oldest = max(*sum.Oldest, *l.Oldest)
		}
	}
	return sum
}

func seconds(s float64) string { return age(time.Duration(s * float64(time.Second))) }

// toMillisecond rounds seconds to them.
func toMillisecond(s float64) float64 { return math.Round(s*1000) / 1000 }
