package ctl

import (
	"context"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

func newDLQRemove(c *cli) *cobra.Command {
	var s selection
	var dryRun, yes bool
	var why string
	cmd := &cobra.Command{
		Use:   "rm [ID...]",
		Short: "Remove dead letters for good",
		Example: `  genesis dlq rm 0199a5e0-71c4-7d2c-a0cf-2a9c3a5d0c11
  genesis dlq rm --reason malformed --older-than 7d --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(args, true); err != nil {
				return err
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			if dryRun {
				return c.listDeadLetters(cmd, b, &s)
			}
			refs, err := s.freeze(cmd.Context(), b)
			if err != nil {
				return err
			}
			if len(args) == 0 && len(refs) > 0 && !yes {
				return usagef("this removes %s for good: add --yes to do it, or --dry-run to see them", plural(len(refs), "dead letter"))
			}
			t := &batch{verb: "remove", done: "removed", refs: refs, do: func(ctx context.Context, r letterRef) error {
				begun := context.WithoutCancel(ctx)
				d, err := r.read(begun, b)
				if err != nil {
					return err
				}
				return b.RemoveDeadLetter(begun, d)
			}}
			return c.finishBatch(cmd, b, t, bus.AuditRecord{Verb: "dlq-rm", Reason: why, Target: s.String()})
		},
	}
	s.flags(cmd, 0)
	cmd.Flags().BoolVar(&s.all, "all", false, "every dead letter")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list what would be removed")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it, though no ids are given")
	c.auditFlags(cmd, &why)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}
