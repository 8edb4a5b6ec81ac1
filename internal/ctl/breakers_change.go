package ctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// A breakerChange is what a command did to a breaker on all workers.
type breakerChange struct {
	Name     string          `json:"name"`
	Command  string          `json:"command"`
	Replicas []changeReplica `json:"replicas"`
	Canary   *canaryOutcome  `json:"canary,omitempty"`
}

// A changeReplica is what it did on one of them.
type changeReplica struct {
	Replica string `json:"replica"`
	Before  string `json:"before"`
	After   string `json:"after"`
}

func newBreakersReset(c *cli) *cobra.Command {
	var y canary
	cmd := c.breakerCommand(bus.CommandBreakerReset, &y, &cobra.Command{
		Use:   "reset NAME",
		Short: "Close a breaker that is stuck open, and try its dependency",
		Long: `Close a breaker on every worker, whatever its state, isolation included, and start its
counts anew. Then a canary, one small request to an agent that uses the dependency, tries
whether it is back; the command fails when the canary is not answered by it.`,
		Example: `  genesis breakers reset vertex --reason "the provider says it is repaired"
  genesis breakers reset pricing --canary quotes --canary-input '{"sku":"test"}'`,
	})
	y.flags(cmd)
	return cmd
}

func newBreakersIsolate(c *cli) *cobra.Command {
	return c.breakerCommand(bus.CommandBreakerIsolate, nil, &cobra.Command{
		Use:   "isolate NAME",
		Short: "Hold a breaker open on every worker, until it is released or reset",
	})
}

func newBreakersRelease(c *cli) *cobra.Command {
	return c.breakerCommand(bus.CommandBreakerRelease, nil, &cobra.Command{
		Use:   "release NAME",
		Short: "End the isolation of a breaker; it lets calls through a few at a time",
	})
}

// breakerCommand makes cmd a command that changes a breaker, and then tries it when y
// is not nil.
func (c *cli) breakerCommand(verb string, y *canary, cmd *cobra.Command) *cobra.Command {
	var reason string
	cmd.Args = oneArg("the NAME of a breaker; `genesis breakers ls` lists them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if y != nil {
			if err := y.check(); err != nil {
				return err
			}
		}
		b, cfg, err := c.connect(cmd)
		if err != nil {
			return err
		}
		defer b.Close()
		if err := y.choose(cmd.Context(), b, cfg, args[0]); err != nil {
			return err
		}
		return c.changeBreaker(cmd, b, y, bus.BreakerCommand{Name: args[0], Operator: c.who(), Reason: oneLine(reason)}, verb)
	}
	c.reasonFlags(cmd, &reason)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// changeBreaker sends the command to all workers, tries the dependency, prints what
// came of it, and writes it down.
func (c *cli) changeBreaker(cmd *cobra.Command, b *bus.Bus, y *canary, command bus.BreakerCommand, verb string) error {
	rows, _, err := readBreakers(cmd, b)
	if err != nil {
		return err
	}
	if err := knownBreaker(rows, command.Name); err != nil {
		return err
	}
	replies, err := b.CommandBreaker(cmd.Context(), verb, command, workersWait)
	if len(replies) == 0 {
		return err
	}
	answers, silent := decoded[bus.BreakerReply](replies)
	change := breakerChange{Name: command.Name, Command: verb, Replicas: changed(answers)}
	failure := errors.Join(append(silent, err)...)
	result := fmt.Sprintf("%s %s on %s", verb, command.Name, plural(len(change.Replicas), "worker"))
	if len(silent) > 0 {
		result += fmt.Sprintf(", %s gave no answer", plural(len(silent), "worker"))
	}
	if y != nil && !y.none {
		change.Canary = y.try(cmd.Context(), b, command.Name)
		result += "; " + change.Canary.String()
		if change.Canary.Error != "" {
			failure = errors.Join(failure, errors.New(change.Canary.String()))
		}
	}
	return errors.Join(
		c.printChange(cmd, change),
		failure,
		c.audit(cmd.Context(), b, bus.AuditRecord{Verb: verb, Reason: command.Reason, Target: command.Name, Result: result}),
	)
}

func changed(answers []bus.BreakerReply) []changeReplica {
	all := []changeReplica{}
	for _, a := range answers {
		if a.Found && a.Before != nil && a.After != nil {
			all = append(all, changeReplica{Replica: a.Replica, Before: a.Before.State, After: a.After.State})
		}
	}
	slices.SortFunc(all, func(x, y changeReplica) int { return strings.Compare(x.Replica, y.Replica) })
	return all
}

// knownBreaker refuses a name that no worker knows.
func knownBreaker(rows []breakerRow, name string) error {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Name
	}
	if slices.Contains(names, name) {
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("no breaker %q: the workers have none; a provider has one when its policy has a breaker", oneLine(name))
	}
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("no breaker %q; did you mean %q?", oneLine(name), near)
	}
	return fmt.Errorf("no breaker %q; `genesis breakers ls` lists them", oneLine(name))
}

func (c *cli) printChange(cmd *cobra.Command, change breakerChange) error {
	if c.asJSON() {
		return printJSON(cmd.OutOrStdout(), change)
	}
	err := printTable(cmd.OutOrStdout(), change.Replicas, []column[changeReplica]{
		{"REPLICA", func(r changeReplica) string { return r.Replica }},
		{"BEFORE", func(r changeReplica) string { return r.Before }},
		{"AFTER", func(r changeReplica) string { return r.After }},
	})
	if err == nil && change.Canary != nil && change.Canary.Error == "" {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), change.Canary)
	}
	return err
}

// milliseconds is a duration for JSON.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
