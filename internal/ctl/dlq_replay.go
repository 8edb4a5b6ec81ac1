package ctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// fullPatience is how long a replay waits for room in an agent's queue.
const fullPatience = time.Minute

// errStuck ends a replay into a queue that does not get shorter.
var errStuck = errors.New("the queue stays full; see `genesis lag`")

func newDLQReplay(c *cli) *cobra.Command {
	var s selection
	var dryRun bool
	var perSecond rateFlag
	var why string
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Send dead letters back to their agents",
		Long: `Send dead letters back to their agents, with their original bytes. Each answer reaches
the original id: its result replaces the failure. What becomes a dead letter while this
runs is not replayed: the set is frozen at the start.`,
		Example: `  genesis dlq replay 0199a5e0-71c4-7d2c-a0cf-2a9c3a5d0c11
  genesis dlq replay --agent summarizer --reason exhausted --newer-than 2h --rate 50/s
  genesis dlq replay --all --dry-run`,
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
			tracing := c.tracing(cmd.Context(), "cli", slog.New(&notes{w: cmd.ErrOrStderr()}))
			defer tracing.Close(cmd.Context())
			t := &batch{verb: "replay", done: "replayed", refs: refs, rate: rate.Limit(perSecond), do: func(ctx context.Context, r letterRef) error {
				return replay(ctx, b, tracing, r)
			}}
			return c.finishBatch(cmd, b, t, bus.AuditRecord{Verb: "dlq-replay", Reason: why, Target: s.String()})
		},
	}
	s.flags(cmd, 0)
	cmd.Flags().BoolVar(&s.all, "all", false, "every dead letter")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list what would be replayed")
	cmd.Flags().Var(&perSecond, "rate", "how many at most: 50/s, 600/m (default: as fast as the queues take them)")
	c.auditFlags(cmd, &why)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// replay sends one dead letter back, and waits while its agent's queue is full.
func replay(ctx context.Context, b *bus.Bus, tracing *telemetry.Tracing, ref letterRef) (err error) {
	begun := context.WithoutCancel(ctx) // both steps of a replay, or none
	d, err := ref.read(begun, b)
	if err != nil {
		return err
	}
	begun, end := tracing.Replaying(begun, &d)
	defer func() { end(err) }()
	stuck := time.NewTimer(fullPatience)
	defer stuck.Stop()
	pause := time.NewTicker(250 * time.Millisecond)
	defer pause.Stop()
	for {
		switch err := b.Replay(begun, d); {
		case errors.Is(err, bus.ErrNotFound): // sent, failed again, and buried anew in no time
			return nil
		case !errors.Is(err, bus.ErrFull):
			return err
		}
		select {
		case <-pause.C:
		case <-stuck.C:
			return fmt.Errorf("replay to %s: %w", ref.agent, errStuck)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finishBatch runs a batch, prints how it ended, and writes it down.
func (c *cli) finishBatch(cmd *cobra.Command, b *bus.Bus, t *batch, e bus.AuditRecord) error {
	sum, err := t.run(cmd)
	e.Result = fmt.Sprintf("%s %d, failed %d, skipped %d, left %d", t.done, sum.Done, sum.Failed, sum.Skipped, sum.Left)
	if c.asJSON() {
		if printErr := printJSON(cmd.OutOrStdout(), sum); printErr != nil {
			return printErr
		}
	} else {
		fmt.Fprintln(cmd.OutOrStdout(), e.Result)
	}
	if sum.Selected == 0 {
		return err // nothing was to be done
	}
	return errors.Join(err, c.audit(cmd.Context(), b, e))
}

// A rateFlag is a number a second.
type rateFlag float64

// Set reads 50, 50/s, 600/m or 5/h.
func (r *rateFlag) Set(s string) error {
	number, unit, _ := strings.Cut(s, "/")
	per, known := map[string]float64{"": 1, "s": 1, "m": 60, "h": 3600}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || !(n > 0 && n <= 1e9) {
		return errors.New("use a rate such as 50/s, 600/m or 100/h")
	}
	*r = rateFlag(n / per)
	return nil
}

// String is the flag's value.
func (r *rateFlag) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*r), 'g', -1, 64) + "/s"
}

// Type is the word in the help.
func (*rateFlag) Type() string { return "RATE" }
