package ctl

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// A lagRow is the unsettled work of one lane, with what is known of its agent. What is
// null is not known.
type lagRow struct {
	Agent string   `json:"agent"`
	Lane  bus.Lane `json:"lane"`
	backlog
	ArrivalRate *float64         `json:"arrival_rate"` // requests a second, of both lanes
	ServiceRate *float64         `json:"service_rate"`
	DrainTime   *float64         `json:"drain_s"` // also null when it never will
	State       *bus.HealthState `json:"state"`
}

// A backlog is work that is not settled; it is not known where nobody counts it.
type backlog struct {
	Pending     *uint64  `json:"pending"`
	InFlight    *uint64  `json:"in_flight"`
	Lag         *uint64  `json:"lag"`
	Redelivered *uint64  `json:"redelivered"`
	Oldest      *float64 `json:"oldest_age_s"`
}

func newLag(c *cli) *cobra.Command {
	var agent string
	cmd := &cobra.Command{
		Use:   "lag",
		Short: "Show the work that is not settled yet, lane by lane",
		Long: `Show the work that is not settled yet, lane by lane. Pending requests have not reached
a worker; those in flight are being executed or wait for their next attempt; the lag is
both. A monitor also knows, of both lanes of an agent together, how many requests come
and are settled a second, in what time the lag would be worked off if no more came, and
the state. Without a monitor these are not known, and the broker is asked for the rest.`,
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
			work, err := lookAtWork(cmd, b, agent)
			if err != nil {
				return err
			}
			if err := list(c, cmd, lagRows(work), []column[lagRow]{
				{"AGENT", func(r lagRow) string { return r.Agent }},
				{"LANE", func(r lagRow) string { return string(r.Lane) }},
				{"PENDING", func(r lagRow) string { return known(r.Pending, count) }},
				{"IN FLIGHT", func(r lagRow) string { return known(r.InFlight, count) }},
				{"LAG", func(r lagRow) string { return known(r.Lag, count) }},
				{"OLDEST", func(r lagRow) string { return known(r.Oldest, seconds) }},
				{"ARRIVAL/S", func(r lagRow) string { return known(r.ArrivalRate, perSecond) }},
				{"SERVICE/S", func(r lagRow) string { return known(r.ServiceRate, perSecond) }},
				{"DRAIN", lagRow.drain},
				{"STATE", func(r lagRow) string { return known(r.State, stateText) }},
			}); err != nil {
				return err
			}
			return uncounted(work)
		},
	}
	cmd.Flags().StringVar(&agent, "agent", "", "only this `AGENT`")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// lagRows are the lanes of the agents.
func lagRows(work []health.AgentLag) []lagRow {
	var rows []lagRow
	for _, a := range work {
		for _, lane := range bus.Lanes() {
			rows = append(rows, lagRow{
				Agent: a.Agent, Lane: lane, backlog: laneBacklog(&a, lane),
				ArrivalRate: a.ArrivalRate, ServiceRate: a.ServiceRate, DrainTime: a.DrainTime, State: stateOf(&a),
			})
		}
	}
	return rows
}

// laneBacklog is the work of one lane; not known when it has no consumer.
func laneBacklog(a *health.AgentLag, lane bus.Lane) backlog {
	at := slices.IndexFunc(a.Lanes, func(l health.LaneLag) bool { return l.Lane == lane })
	if at < 0 {
		return backlog{}
	}
	l := a.Lanes[at]
	oldest := toMillisecond(l.OldestAge)
	return backlog{&l.Pending, &l.InFlight, &l.Lag, &l.Redelivered, &oldest}
}

// uncounted is the error for lanes whose work nobody counts: that is never a lag of 0.
func uncounted(work []health.AgentLag) error {
	var missing []string
	for _, a := range work {
		for _, lane := range bus.Lanes() {
			if laneBacklog(&a, lane).Lag == nil {
				missing = append(missing, a.Agent+" "+string(lane))
			}
		}
	}
	if missing == nil {
		return nil
	}
	more := ""
	if n := len(missing) - 1; n > 0 {
		more = fmt.Sprintf(" and of %s", plural(n, "other lane"))
	}
	return fmt.Errorf("the lag of %s%s is not known: its consumer cannot be read; a worker of the agent makes one that is missing", missing[0], more)
}

func (r lagRow) drain() string {
	if r.DrainTime == nil && r.ServiceRate != nil {
		return "never"
	}
	return known(r.DrainTime, func(s float64) string {
		if s == 0 {
			return "0s"
		}
		return seconds(s)
	})
}

// known writes a value that may not be known; then it is empty.
func known[T any](v *T, write func(T) string) string {
	if v == nil {
		return ""
	}
	return write(*v)
}

func stateText(s bus.HealthState) string { return string(s) }

func stateOf(a *health.AgentLag) *bus.HealthState {
	if a.State == "" {
		return nil
	}
	return &a.State
}

// perSecond writes a rate; one that is not 0 does not look like it.
func perSecond(r float64) string {
	if r > 0 && r < 0.05 {
		return "<0.1"
	}
	return strconv.FormatFloat(r, 'f', 1, 64)
}
