package ctl

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

func newBreakers(c *cli) *cobra.Command {
	return group("breakers", "See and operate the circuit breakers of all workers",
		newBreakersList(c), newBreakersReset(c), newBreakersIsolate(c), newBreakersRelease(c))
}

// A replicaBreaker is a breaker on one worker.
type replicaBreaker struct {
	Replica string `json:"replica"`
	resilience.BreakerStats
}

// A breakerRow is a breaker on all workers together: the worst state, the sums of the
// counts, the earliest of the times ahead.
type breakerRow struct {
	resilience.BreakerStats
	Replicas []replicaBreaker `json:"replicas"`
}

func newBreakersList(c *cli) *cobra.Command {
	var each bool
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the circuit breakers",
		Long: `List the circuit breakers, one line a dependency. The state is the worst of all workers,
and REPLICAS says how many are in it; --replicas lists each of them.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			rows, silent, err := readBreakers(cmd, b)
			if err != nil {
				return err
			}
			noteSilent(cmd, silent)
			if each && !c.asJSON() {
				return c.listReplicas(cmd, rows)
			}
			return list(c, cmd, rows, append([]column[breakerRow]{
				{"NAME", func(r breakerRow) string { return r.Name }},
				{"STATE", func(r breakerRow) string { return r.State }},
				{"REPLICAS", breakerRow.inState},
			}, statsColumns(func(r breakerRow) resilience.BreakerStats { return r.BreakerStats }, time.Now())...))
		},
	}
	cmd.Flags().BoolVar(&each, "replicas", false, "a line for each worker")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func (c *cli) listReplicas(cmd *cobra.Command, rows []breakerRow) error {
	var all []replicaBreaker
	for _, r := range rows {
		all = append(all, r.Replicas...)
	}
	return list(c, cmd, all, append([]column[replicaBreaker]{
		{"NAME", func(r replicaBreaker) string { return r.Name }},
		{"REPLICA", func(r replicaBreaker) string { return r.Replica }},
		{"STATE", func(r replicaBreaker) string { return r.State }},
	}, statsColumns(func(r replicaBreaker) resilience.BreakerStats { return r.BreakerStats }, time.Now())...))
}

// statsColumns are the columns that one replica and all of them have.
func statsColumns[T any](stats func(T) resilience.BreakerStats, now time.Time) []column[T] {
	return []column[T]{
		{"CALLS", func(r T) string { return count(stats(r).TotalCalls) }},
		{"FAILURES", func(r T) string { return count(stats(r).FailureCount) }},
		{"SUCCESS", func(r T) string { return fmt.Sprintf("%.1f%%", 100*stats(r).SuccessRate) }},
		{"LAST FAILURE", func(r T) string { return agoOf(stats(r).LastFailureTime, now) }},
		{"OPENED", func(r T) string { return agoOf(stats(r).OpenedAt, now) }},
		{"NEXT PROBE", func(r T) string { return nextProbe(stats(r), now) }},
	}
}

func agoOf(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	return ago(*t, now)
}

func nextProbe(s resilience.BreakerStats, now time.Time) string {
	switch {
	case s.State != resilience.StateOpen:
		return ""
	case s.NextProbeAt == nil:
		return "isolated"
	}
	return "in " + age(max(s.NextProbeAt.Sub(now), time.Millisecond))
}

// readBreakers asks all workers for their breakers.
func readBreakers(cmd *cobra.Command, b *bus.Bus) ([]breakerRow, []error, error) {
	answers, silent, err := askWorkers[bus.BreakersReply](cmd, b, bus.CommandBreakers, nil)
	if err != nil {
		return nil, nil, err
	}
	return mergeBreakers(answers), silent, nil
}

// mergeBreakers puts together what the workers say, by name.
func mergeBreakers(answers []bus.BreakersReply) []breakerRow {
	rows := map[string]*breakerRow{}
	for _, a := range answers {
		for _, s := range a.Breakers {
			r := rows[s.Name]
			if r == nil {
				r = &breakerRow{BreakerStats: resilience.BreakerStats{Name: s.Name, State: resilience.StateClosed}}
				rows[s.Name] = r
			}
			r.add(replicaBreaker{a.Replica, s})
		}
	}
	all := make([]breakerRow, 0, len(rows))
	for _, r := range rows {
		slices.SortFunc(r.Replicas, func(x, y replicaBreaker) int { return strings.Compare(x.Replica, y.Replica) })
		all = append(all, *r)
	}
	slices.SortFunc(all, func(x, y breakerRow) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// severity orders the states.
func severity(state string) int {
	return slices.Index([]string{resilience.StateClosed, resilience.StateHalfOpen, resilience.StateOpen}, state)
}

func (r *breakerRow) add(s replicaBreaker) {
	r.Replicas = append(r.Replicas, s)
	if severity(s.State) > severity(r.State) {
		r.State = s.State
	}
	r.FailureCount += s.FailureCount
	r.SuccessCount += s.SuccessCount
	r.TotalCalls += s.TotalCalls
	r.SuccessRate = 1
	if r.TotalCalls > 0 {
		r.SuccessRate = float64(r.SuccessCount) / float64(r.TotalCalls)
	}
	r.LastFailureTime = pick(r.LastFailureTime, s.LastFailureTime, time.Time.After)
	r.OpenedAt = pick(r.OpenedAt, s.OpenedAt, time.Time.Before)
	r.NextProbeAt = pick(r.NextProbeAt, s.NextProbeAt, time.Time.Before)
}

// pick returns the better of two times, either of which may be missing.
func pick(x, y *time.Time, better func(time.Time, time.Time) bool) *time.Time {
	if x == nil || y != nil && better(*y, *x) {
		return y
	}
	return x
}

func (r breakerRow) inState() string {
	n := 0
	for _, s := range r.Replicas {
		if s.State == r.State {
			n++
		}
	}
	return fmt.Sprintf("%d of %d", n, len(r.Replicas))
}
