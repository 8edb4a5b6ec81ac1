package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// eventFlags say which health events are shown; the zero values of the first three
// leave nothing out.
type eventFlags struct {
	kind, name, state string
	since             ageFlag
	follow            bool
}

func newEvents(c *cli) *cobra.Command {
	f := eventFlags{since: ageFlag(24 * time.Hour)}
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show how the health of the components changed, the oldest first",
		Long: `Show how the health of the components changed, the oldest first. The monitor that leads
writes an event when a component gets worse or recovers; seven days of them are kept.

With --follow it shows the last event of each component, or with --since all since then,
and then each new one as it comes, until it is interrupted; an outage of the broker is
waited for, and what happened meanwhile is shown. With --output json each line is one
event as it is stored: a CloudEvent.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			p := newEventPrinter(cmd.OutOrStdout(), c.asJSON())
			switch {
			case !f.follow:
				err = f.list(cmd, b, p)
			case cmd.Flags().Changed("since"):
				err = f.followSince(cmd, b, p)
			default:
				err = f.followLast(cmd, b, p)
			}
			return cmp.Or(err, p.err)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on with new ones until interrupted")
	fl.StringVar(&f.kind, "kind", "", "only of components of this `KIND`: "+orList(healthKinds()))
	fl.StringVar(&f.name, "name", "", "only of components with this `NAME`")
	fl.StringVar(&f.state, "state", "", "only those that tell of this `STATE`: "+orList(healthStates()))
	fl.Var(&f.since, "since", "only those of this `AGE`: 90m, 12h, 7d")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func healthKinds() []string {
	var names []string
	for _, k := range bus.HealthKinds() {
		names = append(names, string(k))
	}
	return names
}

func healthStates() []string {
	return []string{string(bus.StateHealthy), string(bus.StateDegraded), string(bus.StateUnhealthy)}
}

// check refuses what can match no event.
func (f *eventFlags) check() error {
	if err := checkWord("--kind", f.kind, healthKinds()); err != nil {
		return err
	}
	return checkWord("--state", f.state, healthStates())
}

// checkWord refuses a word that is not one of those known; empty is none.
func checkWord(flag, word string, known []string) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	if near := nearest(word, known); near != "" {
		return usagef("%s: %q is none; did you mean %q?", flag, word, near)
	}
	return usagef("%s: %q is none: use %s", flag, word, orList(known))
}

func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (f *eventFlags) filter(since time.Time) bus.HealthFilter {
	return bus.HealthFilter{Kind: bus.HealthKind(f.kind), Name: f.name, State: bus.HealthState(f.state), After: since}
}

func (f *eventFlags) matches(e *bus.StoredHealthEvent) bool {
	return (f.kind == "" || f.kind == string(e.Component.Kind)) && (f.name == "" || f.name == e.Component.Name) &&
		(f.state == "" || f.state == string(e.Data.State))
}

// list shows what there is.
func (f *eventFlags) list(cmd *cobra.Command, b *bus.Bus, p *eventPrinter) error {
	since := time.Now().Add(-time.Duration(f.since))
	for e, err := range b.HealthEvents(cmd.Context(), f.filter(since)) {
		if err != nil {
			return err
		}
		if p.show(e); p.err != nil {
			return p.err
		}
	}
	if p.shown == 0 {
		f.noteNone(cmd.Context(), cmd, b, " since "+eventTime(since))
	}
	p.flush()
	return nil
}

// monitorLease is the lease that monitors contend for.
const monitorLease = "monitor"

// noteNone tells a person what it means that nothing is shown: nothing changed, or
// nobody is there who would tell.
func (f *eventFlags) noteNone(ctx context.Context, cmd *cobra.Command, b *bus.Bus, since string) {
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	such, meaning := "health event", ""
	if f.kind+f.name+f.state != "" {
		such = "such health event"
	}
	switch leader, err := b.Leader(ctx, monitorLease); {
	case err == nil:
		meaning = fmt.Sprintf(": monitor %s watches, so none has happened", leader.Holder)
	case errors.Is(err, bus.ErrNotFound):
		meaning = ": no monitor is running, so nobody tells; `monitor` or `genesis up` starts one"
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "genesis: no %s%s%s\n", such, since, oneLine(meaning))
}
