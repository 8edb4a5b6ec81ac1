package ctl

import (
	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// A lagRow is the unsettled work of one lane.
type lagRow struct {
	Agent       string   `json:"agent"`
	Lane        bus.Lane `json:"lane"`
	Pending     uint64   `json:"pending"`
	InFlight    uint64   `json:"in_flight"`
	Lag         uint64   `json:"lag"`
	Redelivered uint64   `json:"redelivered"`
	Oldest      float64  `json:"oldest_age_s"`
}

func newLag(c *cli) *cobra.Command {
	var agent string
	cmd := &cobra.Command{
		Use:   "lag",
		Short: "Show the work that is not settled yet, lane by lane",
		Long: `Show the work that is not settled yet, lane by lane. Pending requests have not reached
a worker; those in flight are being executed or wait for their next attempt; the lag is both.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			if err := checkAgent(cmd.Context(), b, agent); err != nil {
				return err
			}
			rows, err := lagRows(cmd.Context(), b, agent)
			if err != nil {
				return err
			}
			return list(c, cmd, rows, []column[lagRow]{
				{"AGENT", func(r lagRow) string { return r.Agent }},
				{"LANE", func(r lagRow) string { return string(r.Lane) }},
				{"PENDING", func(r lagRow) string { return count(r.Pending) }},
				{"IN FLIGHT", func(r lagRow) string { return count(r.InFlight) }},
				{"LAG", func(r lagRow) string { return count(r.Lag) }},
				{"OLDEST", func(r lagRow) string { return seconds(r.Oldest) }},
			})
		},
	}
	cmd.Flags().StringVar(&agent, "agent", "", "only this `AGENT`")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}
