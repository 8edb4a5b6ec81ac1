package ctl

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"genesis/internal/config"
	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/streams"
)

func newStreams(c *cli) *cobra.Command {
	return group("streams", "Plan, apply and render the streams that the configuration asks for",
		newStreamsPlan(c), newStreamsApply(c), newStreamsRender(c))
}

func newStreamsPlan(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Print what `apply` would change, and change nothing",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, want, err := c.wantedStreams(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			changes, err := bus.PlanStreams(cmd.Context(), b.JetStream(), want)
			if err != nil {
				return err
			}
			return c.printChanges(cmd, changes)
		},
	}
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func newStreamsApply(c *cli) *cobra.Command {
	var o bus.ApplyOptions
	var why string
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the streams as the configuration asks",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, want, err := c.wantedStreams(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			changes, err := bus.ApplyStreams(cmd.Context(), b.JetStream(), want, o)
			if err != nil {
				return err
			}
			if err := c.printChanges(cmd, changes); err != nil {
				return err
			}
			e := bus.AuditRecord{Verb: "streams-apply", Reason: why, Target: "streams", Result: changesText(changes)}
			if o.Force {
				e.Target += " --force"
			}
			return c.audit(cmd.Context(), b, e)
		},
	}
	cmd.Flags().BoolVar(&o.Force, "force", false, "also make changes that could lose messages")
	c.auditFlags(cmd, &why)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func newStreamsRender(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render [DIR]",
		Short: "Write the streams as files that `nats stream add --config` takes",
		Long: `Write the streams as files that ` + "`nats stream add --config`" + ` takes: one file each
below DIR, or all of them to stdout. No broker is asked.`,
		Args: cobra.MatchAll(func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("render takes one DIR, got also %q", args[1])
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			want, err := program.Streams(cfg)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return streams.Render(cmd.OutOrStdout(), want...)
			}
			paths, err := streams.RenderDir(args[0], want...)
			for _, path := range paths {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return err
		},
	}
	c.configFlag(cmd)
	return cmd
}

// wantedStreams connects, and returns what the configuration asks for.
func (c *cli) wantedStreams(cmd *cobra.Command) (*bus.Bus, []jetstream.StreamConfig, error) {
	var cfg *config.Config
	b, cfg, err := c.connect(cmd)
	if err != nil {
		return nil, nil, err
	}
	want, err := program.Streams(cfg)
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	return b, want, nil
}

// A changeLine is one line of the table: a stream, or one more setting of it.
type changeLine struct{ stream, change, details string }

func (c *cli) printChanges(cmd *cobra.Command, changes []bus.Change) error {
	if c.asJSON() {
		return list(c, cmd, changes, nil)
	}
	var lines []changeLine
	for _, ch := range changes {
		lines = append(lines, changeLines(ch)...)
	}
	err := printTable(cmd.OutOrStdout(), lines, []column[changeLine]{
		{"STREAM", func(l changeLine) string { return l.stream }},
		{"CHANGE", func(l changeLine) string { return l.change }},
		{"DETAILS", func(l changeLine) string { return l.details }},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), changesText(changes))
	return err
}

func changeLines(ch bus.Change) []changeLine {
	var details []string
	for _, f := range ch.Fields {
		details = append(details, fmt.Sprintf("%s: %s -> %s", f.Field, f.From, f.To))
	}
	for _, d := range []struct{ word, text string }{
		{"warning", ch.Warning}, {"needs --force", ch.Danger}, {"impossible", ch.Conflict},
	} {
		if d.text != "" {
			details = append(details, d.word+": "+d.text)
		}
	}
	if len(details) == 0 {
		details = []string{""}
	}
	lines := make([]changeLine, len(details))
	for i, text := range details {
		lines[i] = changeLine{ch.Stream, string(ch.Kind), text}
	}
	return lines
}

func changesText(changes []bus.Change) string {
	counts := map[bus.ChangeKind]int{}
	for _, ch := range changes {
		counts[ch.Kind]++
	}
	return fmt.Sprintf("create %d, update %d, unchanged %d", counts[bus.ChangeCreate], counts[bus.ChangeUpdate], counts[bus.ChangeNone])
}
