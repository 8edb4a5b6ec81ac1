package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

func newChaosRemove(c *cli) *cobra.Command {
	var all bool
	var reason string
	cmd := &cobra.Command{
		Use:     "rm [NAME...]",
		Aliases: []string{"remove"},
		Short:   "End faults before their time",
		Example: `  genesis chaos rm network_latency
  genesis chaos rm --all`,
		RunE: func(cmd *cobra.Command, names []string) error {
			switch {
			case all && len(names) > 0:
				return usagef("names are given, so --all is not needed")
			case !all && len(names) == 0:
				return usagef("say which faults: names, or --all; `genesis chaos ls` lists them")
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			if all {
				if names, err = chaosNames(cmd.Context(), b); err != nil {
					return err
				}
			}
			removed, err := removeChaos(cmd.Context(), b, names)
			text := fmt.Sprintf("removed %d", len(removed))
			err = errors.Join(c.printChaos(cmd, map[string][]string{"removed": removed}, text), err)
			if len(removed) == 0 {
				return err
			}
			return errors.Join(err, c.audit(cmd.Context(), b, bus.AuditRecord{
				Verb: "chaos-rm", Reason: oneLine(reason), Target: strings.Join(removed, " "), Result: text,
			}))
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every fault")
	c.reasonFlags(cmd, &reason)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func chaosNames(ctx context.Context, b *bus.Bus) ([]string, error) {
	scenarios, err := b.ListChaos(ctx)
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.Name
	}
	return names, err
}

// removeChaos ends faults, and returns those that it ended and why not the others.
func removeChaos(ctx context.Context, b *bus.Bus, names []string) (removed []string, err error) {
	removed = []string{}
	for _, name := range names {
		switch rmErr := b.RemoveChaos(ctx, name); {
		case rmErr == nil:
			removed = append(removed, name)
		case errors.Is(rmErr, bus.ErrNotFound):
			err = errors.Join(err, fmt.Errorf("there is no chaos %q; `genesis chaos ls` lists it", oneLine(name)))
		default:
			err = errors.Join(err, rmErr)
		}
	}
	return removed, err
}
