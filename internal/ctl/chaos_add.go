package ctl

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// chaosFlags are the flags of a scenario.
type chaosFlags struct {
	scenario bus.ChaosScenario
	latency  time.Duration
	duration time.Duration
	expires  time.Duration
	reason   string
}

func newChaosAdd(c *cli) *cobra.Command {
	var f chaosFlags
	cmd := &cobra.Command{
		Use:   "add KIND",
		Short: "Make all workers inject a fault",
		Long: `Make all workers inject a fault, in place of one of the same name. It ends by itself.
Nothing is injected in production: this configuration and every worker are asked first.

  network_latency    calls take --latency longer
  service_failure    calls fail with --error-type
  transient_failure  --max-occurrences calls fail on each worker, and then no more
  disable_service    every call of --services fails
  cpu_spike          a call sets off --cpu-load on every core for --duration

A service is a provider of the configuration.`,
		Example: `  genesis chaos add network_latency --probability 0.1 --latency 1s --services vertex --reason "drill 7"
  genesis chaos add service_failure --probability 0.05 --error-type timeout --expires 5m
  genesis chaos add disable_service --services vertex`,
		Args: oneArg("the KIND of fault: " + strings.Join(kinds(), ", ")),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(args[0]); err != nil {
				return err
			}
			b, cfg, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			if err := refuseProduction(cmd, b, cfg); err != nil {
				return err
			}
			f.scenario.Operator, f.scenario.Reason = c.who(), oneLine(f.reason)
			f.scenario.ExpiresAt = time.Now().Add(f.expires)
			s, err := b.AddChaos(cmd.Context(), f.scenario)
			if errors.Is(err, bus.ErrInvalid) {
				return usagef("%s", oneLine(err.Error()))
			}
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%s until %s", chaosRow{ChaosScenario: s}.effect(), s.ExpiresAt.Format(time.RFC3339))
			return errors.Join(
				c.printChaos(cmd, s, fmt.Sprintf("added %s: %s", s.Name, text)),
				c.audit(cmd.Context(), b, bus.AuditRecord{Verb: "chaos-add", Reason: s.Reason, Target: s.Name, Result: text}),
			)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.scenario.Name, "name", "", "what to call it (default: its kind)")
	fl.Float64Var(&f.scenario.Probability, "probability", 1, "the share of calls it hits, above 0 and up to 1")
	fl.StringSliceVar(&f.scenario.AffectedServices, "services", nil, "the services it affects, separated by commas (default: all)")
	fl.DurationVar(&f.latency, "latency", 0, "how much longer calls take (network_latency; default 1s)")
	fl.StringVar(&f.scenario.ErrorType, "error-type", "", "what calls fail with: "+strings.Join(bus.ChaosErrorTypes(), ", ")+" (default connection)")
	fl.Float64Var(&f.scenario.CPULoad, "cpu-load", 0, "the share of every core (cpu_spike; default 0.8)")
	fl.DurationVar(&f.duration, "duration", 0, "how long a spike takes (cpu_spike; default 10s)")
	fl.IntVar(&f.scenario.MaxOccurrences, "max-occurrences", 0, "how many calls it hits on each worker (default: any number)")
	fl.DurationVar(&f.expires, "expires", 15*time.Minute, "when it ends by itself")
	c.reasonFlags(cmd, &f.reason)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// read checks the flags and makes the scenario of them.
func (f *chaosFlags) read(kind string) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	s := &f.scenario
	s.Kind = resilience.ScenarioKind(kind)
	switch {
	case s.Probability <= 0 || s.Probability > 1:
		return usagef("--probability is %v: use a share above 0 and up to 1", s.Probability)
	case f.expires <= 0 || f.expires > 24*time.Hour:
		return usagef("--expires is %s: use a duration above 0 and up to 24h", f.expires)
	case s.Kind == resilience.DisableService && s.Name == "":
		s.Name = kind + "-" + strings.Join(s.AffectedServices, "-") // one for each service
	}
	s.LatencyMS = milliseconds(f.latency)
	s.DurationSeconds = f.duration.Seconds()
	return nil
}

func (c *cli) printChaos(cmd *cobra.Command, v any, line string) error {
	if c.asJSON() {
		return printJSON(cmd.OutOrStdout(), v)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), line)
	return err
}
