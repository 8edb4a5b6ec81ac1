package ctl

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

func newDLQ(c *cli) *cobra.Command {
	return group("dlq", "Inspect, replay and remove dead letters: requests that were given up",
		newDLQList(c), newDLQShow(c), newDLQGroups(c), newDLQReplay(c), newDLQRemove(c))
}

// A selection says which dead letters a command works on: those with the ids, or
// those that match the flags.
type selection struct {
	agent, reason, id, fingerprint string
	olderThan, newerThan           ageFlag
	limit                          int
	all                            bool

	ids []string
}

func (s *selection) flags(cmd *cobra.Command, limit int) {
	f := cmd.Flags()
	f.StringVar(&s.agent, "agent", "", "only of this `AGENT`")
	f.StringVar(&s.reason, "reason", "", "only with this `REASON`: "+strings.Join(deadReasons(), ", "))
	f.StringVar(&s.id, "id", "", "only of the request with this `ID`")
	f.StringVar(&s.fingerprint, "fingerprint", "", "only with this `CAUSE`, as `genesis dlq groups` shows it")
	f.Var(&s.olderThan, "older-than", "only those that failed before this `AGE`: 90m, 12h, 7d")
	f.Var(&s.newerThan, "newer-than", "only those that failed within this `AGE`: 90m, 12h, 7d")
	f.IntVar(&s.limit, "limit", limit, "at most so many, the oldest first; 0 is no limit")
}

func deadReasons() []string {
	return []string{bus.DeadPermanent, bus.DeadExhausted, bus.DeadMalformed, bus.DeadPanic, bus.DeadPoison}
}

// check refuses what can select nothing, or what selects everything by mistake.
func (s *selection) check(ids []string, mustSelect bool) error {
	s.ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	filtered := s.agent+s.reason+s.id+s.fingerprint != "" || s.olderThan > 0 || s.newerThan > 0
	switch {
	case s.reason != "" && !slices.Contains(deadReasons(), s.reason):
		return usagef("unknown reason %q: use %s", s.reason, strings.Join(deadReasons(), ", "))
	case s.limit < 0:
		return usagef("--limit is %d: use 0 for no limit, or a number above it", s.limit)
	case len(ids) > 0 && (s.id != "" || s.all):
		return usagef("ids are given, so --id and --all are not needed")
	case mustSelect && len(ids) == 0 && !filtered && !s.all:
		return usagef("say which dead letters: ids, filters such as --agent and --reason, or --all")
	}
	if s.agent != "" {
		if err := bus.ValidAgent(s.agent); err != nil {
			return usagef("--agent: %w", err)
		}
	}
	for _, id := range append(slices.Clone(s.ids), s.id) {
		if id == "" {
			continue
		}
		if err := bus.ValidID(id); err != nil {
			return usagef("%w", err)
		}
	}
	return nil
}

// each calls f for every selected dead letter, as they stand now. Ids without one are
// an error.
func (s *selection) each(ctx context.Context, b *bus.Bus, f func(bus.DeadLetter)) (truncated bool, err error) {
	if err := checkAgent(ctx, b, s.agent); err != nil {
		return false, err
	}
	now := time.Now()
	filter := bus.DeadLetterFilter{Agent: s.agent, ID: s.id, Reason: s.reason, Fingerprint: s.fingerprint}
	if s.olderThan > 0 {
		filter.Before = now.Add(-time.Duration(s.olderThan))
	}
	if s.newerThan > 0 {
		filter.After = now.Add(-time.Duration(s.newerThan))
	}
	filters := []bus.DeadLetterFilter{filter}
	if len(s.ids) > 0 {
		filters = filters[:0]
		for _, id := range s.ids {
			filter.ID = id
			filters = append(filters, filter)
		}
	}
	found := 0
	for _, filter := range filters {
		before := found
		for d, err := range b.DeadLetters(ctx, filter) {
			if err != nil {
				return false, err
			}
			if s.limit > 0 && found == s.limit {
				return true, nil
			}
			found++
			f(d)
		}
		if len(s.ids) > 0 && found == before {
			return false, fmt.Errorf("no dead letter of %s; `genesis explain %[1]s` tells what became of it", filter.ID)
		}
	}
	return false, nil
}

// String describes the selection, for the audit.
func (s *selection) String() string {
	var parts []string
	for _, p := range []struct{ name, value string }{
		{"agent", s.agent},
		{"reason", s.reason},
		{"id", s.id},
		{"fingerprint", s.fingerprint},
		{"older-than", s.olderThan.String()},
		{"newer-than", s.newerThan.String()},
	} {
		if p.value != "" {
			parts = append(parts, p.name+"="+p.value)
		}
	}
	if len(s.ids) > 0 {
		parts = append(parts, "ids="+strings.Join(s.ids[:min(len(s.ids), 10)], ","))
	}
	if s.limit > 0 {
		parts = append(parts, "limit="+strconv.Itoa(s.limit))
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, " ")
}

// maxDays keeps a number of days within what a duration can hold.
const maxDays = 36500

// An ageFlag is a duration that may also be a number of days.
type ageFlag time.Duration

// Set reads 90m, 12h or 7d.
func (a *ageFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(min(n, maxDays) * 24 * float64(time.Hour))
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("use an age such as 90m, 12h or 7d")
	}
	*a = ageFlag(d)
	return nil
}

// String is the flag's value.
func (a *ageFlag) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

// Type is the word in the help.
func (*ageFlag) Type() string { return "AGE" }
