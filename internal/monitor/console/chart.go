package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	chartRounds  = 100 // at most so many are drawn
	chartRow     = 10  // rounds a row of the table beside it
	chartWidth   = 100
	chartHeight  = 24
	chartPadding = 2 // so that the line is not cut at its top
)

// A chart is a line of lag, drawn on the server, and the same figures as a table.
type chart struct {
	Line, Area string // path data in a box of chartWidth by chartHeight
	EndY       string
	Label      string // what the line tells, in words
	Rows       []chartLine
}

// A chartLine is a row of the table: some rounds, the oldest first.
type chartLine struct {
	Head   string
	Values []uint64
}

// draw makes the chart of a history, the oldest round first; nil of fewer than two rounds.
func draw(history []uint64) *chart {
	history = history[max(0, len(history)-chartRounds):]
	if len(history) < 2 {
		return nil
	}
	var (
		highest = slices.Max(history)
		step    = float64(chartWidth) / float64(len(history)-1)
		line    strings.Builder
		y       string
	)
	for i, lag := range history {
		drop := 1.0
		if highest > 0 {
			drop = 1 - float64(lag)/float64(highest)
		}
		y = point(chartPadding + drop*(chartHeight-2*chartPadding))
		if i > 0 {
			line.WriteByte('L')
		}
		line.WriteString(point(float64(i)*step) + " " + y)
	}
	c := &chart{
		Line: "M" + line.String(),
		Area: fmt.Sprintf("M0 %dL%sL%d %dZ", chartHeight, line.String(), chartWidth, chartHeight),
		EndY: y,
		Label: fmt.Sprintf("Lag over %d rounds: now %s, lowest %s, highest %s",
			len(history), count(history[len(history)-1]), count(slices.Min(history)), count(highest)),
	}
	for from := 0; from < len(history); from += chartRow {
		to := min(from+chartRow, len(history))
		c.Rows = append(c.Rows, chartLine{rounds(len(history)-1-from, len(history)-to), history[from:to]})
	}
	return c
}

// rounds heads a row with how many rounds ago its first and its last one were.
func rounds(first, last int) string {
	if first == last {
		return strconv.Itoa(first)
	}
	return fmt.Sprintf("%d to %d", first, last)
}

func point(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}
