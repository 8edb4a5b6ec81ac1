package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// metrics are the names of series, each with the names of its labels.
type metrics map[string]map[string]bool

func (m metrics) add(name string, labels ...string) {
	if m[name] == nil {
		m[name] = map[string]bool{}
	}
	for _, l := range labels {
		m[name][l] = true
	}
}

// scrape adds what a program exports.
func (m metrics) scrape(c *caller, p *process) error {
	body, err := c.get(p.url + "/metrics")
	if err != nil {
		return err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	for name, f := range families {
		for _, series := range f.GetMetric() {
			var labels []string
			for _, l := range series.GetLabel() {
				labels = append(labels, l.GetName())
			}
			if f.GetType() == dto.MetricType_HISTOGRAM {
				m.add(name+"_bucket", append(labels, "le")...)
				m.add(name+"_sum", labels...)
				m.add(name+"_count", labels...)
				continue
			}
			m.add(name, labels...)
		}
	}
	return nil
}

// used are the metrics that the alerts and the dashboard name, with the labels that they
// select and group by.
func used(t *testing.T) metrics {
	t.Helper()
	all := metrics{}
	add := func(text string) {
		parser.Inspect(expression(t, text), func(n parser.Node, path []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok {
				all.add(v.Name, needed(v, path)...)
			}
			return nil
		})
	}
	for _, r := range alerts(t) {
		add(r.Expr)
		for _, query := range regexp.MustCompile(`query "([^"]+)"`).FindAllStringSubmatch(fmt.Sprint(r.Annotations), -1) {
			add(query[1])
		}
	}
	d := board(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			add(plain(target.Expr))
		}
	}
	for _, v := range d.Templating.List {
		if m := regexp.MustCompile(`label_values\((\w+), (\w+)\)`).FindStringSubmatch(v.Definition); m != nil {
			all.add(m[1], m[2])
		}
	}
	delete(all, "up") // Prometheus's own
	return all
}

// needed are the labels that a selector must have: those it selects by, and those that
// the expressions around it, the outermost first, group and join by.
func needed(v *parser.VectorSelector, path []parser.Node) []string {
	var names []string
	for _, around := range path {
		switch n := around.(type) {
		case *parser.AggregateExpr:
			names = append(names, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				names = append(names, n.VectorMatching.MatchingLabels...)
			}
		case *parser.Call:
			if n.Func.Name == "label_replace" { // it makes one label of another
				made, from := n.Args[1].(*parser.StringLiteral).Val, n.Args[3].(*parser.StringLiteral).Val
				names = append(slices.DeleteFunc(names, func(l string) bool { return l == made }), from)
			}
		}
	}
	for _, m := range v.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			names = append(names, m.Name)
		}
	}
	return names
}

// lacks says what of want is not in m. Prometheus adds job and instance.
func (m metrics) lacks(want metrics) []string {
	var missing []string
	for name, labels := range want {
		if m[name] == nil {
			missing = append(missing, name)
			continue
		}
		for l := range labels {
			if !m[name][l] && l != "job" && l != "instance" {
				missing = append(missing, name+"{"+l+"}")
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// documented are the metrics of the table in the document.
func documented(t *testing.T) metrics {
	t.Helper()
	all := metrics{}
	row := regexp.MustCompile("(?m)^\\| `(genesis_\\w+)` \\|([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(document(t), -1) {
		all.add(m[1], strings.FieldsFunc(m[2], func(r rune) bool { return r == ' ' || r == '`' })...)
	}
	return all
}

// Some metrics appear only when something rare happens, so the document is also compared
// with what the source names.
func TestTheDocumentNamesTheMetricsOfTheSource(t *testing.T) {
	named := map[string]bool{}
	for _, dir := range []string{"telemetry", "gateway", "worker", "monitor"} {
		files, err := filepath.Glob("../internal/" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range regexp.MustCompile(`"(genesis_[a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
				named[m[1]] = true
			}
		}
	}
	written := map[string]bool{}
	for name := range documented(t) {
		name = strings.TrimSuffix(name, "_bucket")
		written[name] = true
		if !named[name] {
			t.Errorf("%s is in docs/OPERATIONS.md, and nowhere in the source", name)
		}
	}
	for name := range named {
		if !written[name] {
			t.Errorf("%s is in the source, and not in docs/OPERATIONS.md", name)
		}
	}
}
