package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// A bench is one run of this program.
type bench struct {
	settings
	current  string
	rows     []row
	progress io.Writer
}

// A row is one line of the report. Zero figures were not measured.
type row struct {
	Bench string `json:"bench"`
	Case  string `json:"case"`
	Unit  string `json:"unit"`
	// Base is what Genesis is compared with: raw nats.go, unless the case says otherwise.
	Base    float64 `json:"base"`
	Genesis float64 `json:"genesis"`
	// Ratio is the median of the rounds' ratios of Genesis to Base.
	Ratio float64 `json:"ratio"`
	// Target is the least or the most that Ratio should be.
	Target target `json:"target"`
	Met    bool   `json:"met"`
	// Microseconds of CPU time an operation, of the clients and of the server.
	BaseCPU    cpuCost `json:"base_cpu_us"`
	GenesisCPU cpuCost `json:"genesis_cpu_us"`
	// Allocations of the clients an operation.
	BaseAllocs    float64 `json:"base_allocs"`
	GenesisAllocs float64 `json:"genesis_allocs"`
	Note          string  `json:"note,omitempty"`
}

// A target bounds a ratio; the zero value asks for nothing.
type target struct {
	AtLeast float64 `json:"at_least,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
}

func (t target) met(ratio float64) bool {
	return ratio >= t.AtLeast && (t.AtMost == 0 || ratio <= t.AtMost)
}

func (t target) String() string {
	switch {
	case t.AtLeast > 0:
		return fmt.Sprintf(">= %.4g", t.AtLeast)
	case t.AtMost > 0:
		return fmt.Sprintf("<= %.4g", t.AtMost)
	}
	return ""
}

// A cpuCost is CPU time in microseconds.
type cpuCost struct {
	Client float64 `json:"client"`
	Server float64 `json:"server"`
}

func (c cpuCost) String() string {
	if c.Client == 0 && c.Server == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f + %.1f", c.Client, c.Server)
}

// add appends a row and says it at once.
func (b *bench) add(r row) {
	r.Bench = b.current
	r.Met = r.Target.met(r.Ratio)
	b.rows = append(b.rows, r)
	if r.Base == 0 {
		b.say("  %s: %s %s", r.Case, figure(r.Genesis), r.Unit)
		return
	}
	b.say("  %s: %s against %s %s, ratio %.2f %s", r.Case, figure(r.Genesis), figure(r.Base), r.Unit, r.Ratio, verdict(r))
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

func verdict(r row) string {
	switch {
	case r.Target == target{}:
		return ""
	case r.Met:
		return "ok"
	}
	return "MISSED"
}

func writeJSON(out io.Writer, rows []row) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(rows)
}

func writeTable(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "bench\tcase\tunit\tbase\tgenesis\tratio\ttarget\t\tbase CPU us, client + server\tgenesis CPU us\tallocs\t\tnote")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			r.Bench, r.Case, r.Unit, figure(r.Base), figure(r.Genesis), ratioText(r.Ratio), r.Target, verdict(r), r.BaseCPU, r.GenesisCPU, figure(r.BaseAllocs), figure(r.GenesisAllocs), r.Note)
	}
	return w.Flush()
}

func ratioText(r float64) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r)
}

// figure writes a number with three or four digits that matter.
func figure(v float64) string {
	switch {
	case v == 0:
		return ""
	case math.Abs(v) >= 1000:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// median of the values; 0 without any.
func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile is the value that the share q of the values does not exceed.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}
