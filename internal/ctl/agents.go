package ctl

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// An agentRow is an agent with the work that waits for it.
type agentRow struct {
	Agent    string  `json:"agent"`
	Pending  uint64  `json:"pending"`
	InFlight uint64  `json:"in_flight"`
	Lag      uint64  `json:"lag"`
	Oldest   float64 `json:"oldest_age_s"`
}

func newAgents(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "List the agents that requests can be sent to",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			rows, err := lagRows(cmd.Context(), b, "")
			if err != nil {
				return err
			}
			return list(c, cmd, agentRows(rows), []column[agentRow]{
				{"AGENT", func(r agentRow) string { return r.Agent }},
				{"PENDING", func(r agentRow) string { return count(r.Pending) }},
				{"IN FLIGHT", func(r agentRow) string { return count(r.InFlight) }},
				{"LAG", func(r agentRow) string { return count(r.Lag) }},
				{"OLDEST", func(r agentRow) string { return seconds(r.Oldest) }},
			})
		},
	}
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// agentRows adds up the lanes of each agent.
func agentRows(lanes []lagRow) []agentRow {
	var rows []agentRow
	for _, l := range lanes {
		if n := len(rows); n == 0 || rows[n-1].Agent != l.Agent {
			rows = append(rows, agentRow{Agent: l.Agent})
		}
		r := &rows[len(rows)-1]
		r.Pending += l.Pending
		r.InFlight += l.InFlight
		r.Lag += l.Lag
		r.Oldest = max(r.Oldest, l.Oldest)
	}
	return rows
}

// lagRows reads the lag of every lane of an agent, or of all agents.
func lagRows(ctx context.Context, b *bus.Bus, agent string) ([]lagRow, error) {
	names := []string{agent}
	if agent == "" {
		var err error
		if names, err = b.Agents(ctx); err != nil {
			return nil, err
		}
	}
	var rows []lagRow
	for _, name := range names {
		for _, lane := range bus.Lanes() {
			l, err := b.Lag(ctx, name, lane)
			if err != nil {
				return nil, err
			}
			rows = append(rows, lagRow{
				Agent: name, Lane: lane, Pending: l.Pending, InFlight: l.InFlight, Lag: l.Lag,
				Redelivered: l.Redelivered, Oldest: l.OldestAge.Round(time.Millisecond).Seconds(),
			})
		}
	}
	return rows, nil
}

func seconds(s float64) string { return age(time.Duration(s * float64(time.Second))) }
