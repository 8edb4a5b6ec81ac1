package ctl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

func newVerify(c *cli) *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove from the streams that no accepted request was lost",
		Long: `Prove from the streams alone, while the system works, that no accepted request was lost:
each message of a request stream since the oldest kept result is pending, or has a
result or a dead letter, or was a duplicate. What is none of these is missing.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			for _, name := range names {
				if err := checkAgent(cmd.Context(), b, name); err != nil {
					return err
				}
			}
			bar := newProgress(cmd, "read", 0)
			reports, err := b.Verify(cmd.Context(), bus.VerifyOptions{Agents: names, Progress: bar.set})
			bar.done()
			if err != nil {
				if cmd.Context().Err() != nil {
					return errors.New("interrupted; nothing is proved")
				}
				return err
			}
			return c.printVerified(cmd, reports)
		},
	}
	cmd.Flags().StringSliceVar(&names, "agent", nil, "only these `AGENTS`")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func (c *cli) printVerified(cmd *cobra.Command, reports []bus.VerifyReport) error {
	number := func(f func(bus.VerifyReport) uint64) func(bus.VerifyReport) string {
		return func(r bus.VerifyReport) string { return count(f(r)) }
	}
	err := list(c, cmd, reports, []column[bus.VerifyReport]{
		{"AGENT", func(r bus.VerifyReport) string { return r.Agent }},
		{"FROM", number(func(r bus.VerifyReport) uint64 { return r.From })},
		{"TO", number(func(r bus.VerifyReport) uint64 { return r.To })},
		{"PENDING", number(func(r bus.VerifyReport) uint64 { return r.Pending })},
		{"RESULTS", number(func(r bus.VerifyReport) uint64 { return r.Results })},
		{"DEAD LETTERS", number(func(r bus.VerifyReport) uint64 { return r.DeadLetters })},
		{"DUPLICATES", number(func(r bus.VerifyReport) uint64 { return r.Duplicates })},
		{"MISSING", number(func(r bus.VerifyReport) uint64 { return r.MissingCount })},
	})
	if err != nil {
		return err
	}
	var missing, checked uint64
	for _, r := range reports {
		missing += r.MissingCount
		if r.To > 0 {
			checked += r.To - r.From + 1
		}
		if r.MissingCount > 0 && !c.asJSON() {
			fmt.Fprintf(cmd.OutOrStdout(), "missing of %s: %s\n", r.Agent, sequencesText(r.Missing, r.MissingCount))
		}
	}
	if missing > 0 {
		return fmt.Errorf("%s missing: accepted, but neither pending nor answered nor a dead letter", plural(missing, "request"))
	}
	if !c.asJSON() {
		fmt.Fprintf(cmd.OutOrStdout(), "nothing is missing: %s accounted for\n", plural(checked, "request"))
	}
	return nil
}

// sequencesText names sequences; n is how many there are in all.
func sequencesText(sequences []uint64, n uint64) string {
	var named []string
	for _, s := range sequences {
		named = append(named, strconv.FormatUint(s, 10))
	}
	text := "sequence " + strings.Join(named, ", ")
	if more := n - uint64(len(sequences)); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
