package ctl

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// listedLetters is how many dead letters a listing shows when no limit is given.
const listedLetters = 1000

func newDLQList(c *cli) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List dead letters, the oldest first",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.check(nil, false); err != nil {
				return err
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			return c.listDeadLetters(cmd, b, &s)
		},
	}
	s.flags(cmd, listedLetters)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func (c *cli) listDeadLetters(cmd *cobra.Command, b *bus.Bus, s *selection) error {
	var letters []bus.DeadLetter
	truncated, err := s.each(cmd.Context(), b, func(d bus.DeadLetter) {
		d.Header = nil // not shown, and the largest part of it
		letters = append(letters, d)
	})
	if err != nil {
		return err
	}
	now := time.Now()
	err = list(c, cmd, letters, []column[bus.DeadLetter]{
		{"ID", func(d bus.DeadLetter) string { return d.ID }},
		{"AGENT", func(d bus.DeadLetter) string { return d.Agent }},
		{"REASON", func(d bus.DeadLetter) string { return d.Reason }},
		{"ATTEMPTS", func(d bus.DeadLetter) string { return count(d.Attempts) }},
		{"FAILED", func(d bus.DeadLetter) string { return ago(d.Last, now) }},
		{"FINGERPRINT", func(d bus.DeadLetter) string { return d.Fingerprint }},
		{"ERROR", func(d bus.DeadLetter) string { return shorten(d.Error, 60) }},
	})
	if truncated {
		fmt.Fprintf(cmd.ErrOrStderr(), "genesis: there are more than these %d; see --limit, or `genesis dlq groups`\n", len(letters))
	}
	return err
}
