package ctl

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// A letterGroup is the dead letters of one cause.
type letterGroup struct {
	Fingerprint string    `json:"fingerprint"`
	Count       int       `json:"count"`
	Agent       string    `json:"agent"`
	Reason      string    `json:"reason"`
	Error       string    `json:"error"` // of one of them
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
}

func newDLQGroups(c *cli) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:   "groups",
		Short: "Group dead letters by their cause, the most frequent first",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.check(nil, false); err != nil {
				return err
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			groups := map[string]*letterGroup{}
			if _, err := s.each(cmd.Context(), b, func(d bus.DeadLetter) { addToGroup(groups, d) }); err != nil {
				return err
			}
			now := time.Now()
			return list(c, cmd, sortedGroups(groups), []column[letterGroup]{
				{"FINGERPRINT", func(g letterGroup) string { return g.Fingerprint }},
				{"COUNT", func(g letterGroup) string { return count(g.Count) }},
				{"AGENT", func(g letterGroup) string { return g.Agent }},
				{"REASON", func(g letterGroup) string { return g.Reason }},
				{"FIRST", func(g letterGroup) string { return ago(g.First, now) }},
				{"LAST", func(g letterGroup) string { return ago(g.Last, now) }},
				{"ERROR", func(g letterGroup) string { return shorten(g.Error, 60) }},
			})
		},
	}
	s.flags(cmd, 0)
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func addToGroup(groups map[string]*letterGroup, d bus.DeadLetter) {
	g := groups[d.Fingerprint]
	if g == nil {
		g = &letterGroup{Fingerprint: d.Fingerprint, Agent: d.Agent, Reason: d.Reason, First: d.Last}
		groups[d.Fingerprint] = g
	}
	g.Count++
	g.Error = d.Error
	if d.Last.Before(g.First) {
		g.First = d.Last
	}
	if d.Last.After(g.Last) {
		g.Last = d.Last
	}
}

func sortedGroups(groups map[string]*letterGroup) []letterGroup {
	out := make([]letterGroup, 0, len(groups))
	for g := range maps.Values(groups) {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b letterGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out
}
