package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// outputFormat is the value of --output; the zero value is a table.
type outputFormat string

const (
	outputTable outputFormat = "table"
	outputJSON  outputFormat = "json"
)

// Set reads the flag's value.
func (f *outputFormat) Set(s string) error {
	switch o := outputFormat(s); o {
	case outputTable, outputJSON:
		*f = o
		return nil
	}
	return fmt.Errorf("use %s or %s", outputTable, outputJSON)
}

// String is the flag's value.
func (f *outputFormat) String() string {
	if *f == "" {
		return string(outputTable)
	}
	return string(*f)
}

// Type is the word in the help.
func (*outputFormat) Type() string { return "FORMAT" }

func (c *cli) outputFlag(cmd *cobra.Command) {
	cmd.Flags().VarP(&c.output, "output", "o", "table for people or json for programs")
}

// asJSON says that a program reads the answer.
func (c *cli) asJSON() bool { return c.output == outputJSON }

// A column of a table: its title, and the cell of an item.
type column[T any] struct {
	title string
	cell  func(T) string
}

// list prints a listing: one JSON array, or a table.
func list[T any](c *cli, cmd *cobra.Command, items []T, columns []column[T]) error {
	if c.asJSON() {
		if items == nil {
			items = []T{}
		}
		return printJSON(cmd.OutOrStdout(), items)
	}
	return printTable(cmd.OutOrStdout(), items, columns)
}

func printTable[T any](w io.Writer, items []T, columns []column[T]) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cell func(column[T]) string) {
		cells := make([]string, len(columns))
		for i, col := range columns {
			cells[i] = cell(col)
		}
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(cells, "\t"), "\t "))
	}
	line(func(col column[T]) string { return col.title })
	for _, item := range items {
		line(func(col column[T]) string { return orDash(oneLine(col.cell(item))) })
	}
	return tw.Flush()
}

// printJSON prints one indented document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// oneLine makes a text that others wrote safe for a terminal's line.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// shorten cuts a cell's text.
func shorten(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-3]) + "..."
	}
	return s
}

// age is a duration for people: 340ms, 12s, 3m20s, 5h, 4d.
func age(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// ago is how long before now a time was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return age(max(now.Sub(t), time.Millisecond)) + " ago"
}

func count[N int | int64 | uint64](n N) string { return fmt.Sprintf("%d", n) }

// plural writes a number with its noun.
func plural[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
