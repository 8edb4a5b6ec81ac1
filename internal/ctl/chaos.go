package ctl

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// production is the environment in which nothing is injected.
const production = "production"

func newChaos(c *cli) *cobra.Command {
	return group("chaos", "Inject faults into the calls of all workers, for a drill", newChaosList(c), newChaosAdd(c), newChaosRemove(c))
}

// A chaosRow is a scenario and what it did so far.
type chaosRow struct {
	bus.ChaosScenario
	Occurred int `json:"occurred"` // on all workers that answered
	Workers  int `json:"workers"`  // how many of them have it at work
}

func newChaosList(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the faults that are being injected",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			scenarios, err := b.ListChaos(cmd.Context())
			if err != nil {
				return err
			}
			answers, silent, err := askWorkers[bus.ChaosReply](cmd, b, bus.CommandChaos, nil)
			if err != nil && !errors.Is(err, bus.ErrNotFound) {
				return err
			}
			noteSilent(cmd, silent)
			now := time.Now()
			return list(c, cmd, chaosRows(scenarios, answers), []column[chaosRow]{
				{"NAME", func(r chaosRow) string { return r.Name }},
				{"EFFECT", chaosRow.effect},
				{"CALLS", func(r chaosRow) string { return percent(r.Probability) }},
				{"SERVICES", func(r chaosRow) string { return strings.Join(r.AffectedServices, ",") }},
				{"ENDS", func(r chaosRow) string { return "in " + age(r.ExpiresAt.Sub(now)) }},
				{"HITS", func(r chaosRow) string { return count(r.Occurred) }},
				{"WORKERS", func(r chaosRow) string { return count(r.Workers) }},
				{"OPERATOR", func(r chaosRow) string { return r.Operator }},
				{"REASON", func(r chaosRow) string { return shorten(r.Reason, 40) }},
			})
		},
	}
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func chaosRows(scenarios []bus.ChaosScenario, answers []bus.ChaosReply) []chaosRow {
	rows := make([]chaosRow, len(scenarios))
	for i, s := range scenarios {
		rows[i].ChaosScenario = s
		for _, a := range answers {
			for _, w := range a.Scenarios {
				if w.Name == s.Name {
					rows[i].Occurred += w.Occurred
					rows[i].Workers++
				}
			}
		}
	}
	return rows
}

// effect is what a scenario does, in a few words.
func (r chaosRow) effect() string {
	var more []string
	if r.LatencyMS > 0 {
		more = append(more, age(time.Duration(r.LatencyMS*float64(time.Millisecond))))
	}
	if r.ErrorType != "" {
		more = append(more, r.ErrorType)
	}
	if r.CPULoad > 0 {
		more = append(more, percent(r.CPULoad))
	}
	if r.DurationSeconds > 0 {
		more = append(more, "for "+seconds(r.DurationSeconds))
	}
	if r.MaxOccurrences > 0 {
		more = append(more, "at most "+count(r.MaxOccurrences))
	}
	if more == nil {
		return string(r.Kind)
	}
	return fmt.Sprintf("%s (%s)", r.Kind, strings.Join(more, ", "))
}

// percent is a share; none is all.
func percent(share float64) string {
	if share == 0 {
		share = 1
	}
	return strconv.FormatFloat(100*share, 'f', -1, 64) + "%"
}

// refuseProduction asks where the system runs before a fault is injected: this
// configuration, and every worker.
func refuseProduction(cmd *cobra.Command, b *bus.Bus, cfg *config.Config) error {
	if cfg.Environment == production {
		return errors.New("chaos is refused: the configuration says that this is production")
	}
	answers, silent, err := askWorkers[bus.ChaosReply](cmd, b, bus.CommandChaos, nil)
	if errors.Is(err, bus.ErrNotFound) {
		fmt.Fprintln(cmd.ErrOrStderr(), "genesis: no worker is running now; those that start will inject it")
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range answers {
		if a.Environment == production {
			return fmt.Errorf("chaos is refused: worker %s runs in production", a.Replica)
		}
	}
	if len(silent) > 0 {
		return fmt.Errorf("chaos is refused: not every worker says in which environment it runs: %w", errors.Join(silent...))
	}
	return nil
}

// kinds are the kinds of scenario.
func kinds() []string {
	return []string{
		string(resilience.NetworkLatency), string(resilience.ServiceFailure), string(resilience.CPUSpike),
		string(resilience.TransientFailure), string(resilience.DisableService),
	}
}

func checkKind(kind string) error {
	if slices.Contains(kinds(), kind) {
		return nil
	}
	text := fmt.Sprintf("unknown scenario %q: use %s", kind, strings.Join(kinds(), ", "))
	return usagef("%s", text)
}
