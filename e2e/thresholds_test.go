package e2e

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// levels are two thresholds of the configuration, as `genesis config print` writes them.
type levels struct{ Degraded, Unhealthy yaml.Node }

func TestTheAlertsUseTheThresholdsOfTheConfiguration(t *testing.T) {
	printed, ok := run(t, "genesis", "config", "print")
	if !ok {
		t.Fatal(printed)
	}
	var config struct {
		Monitor struct {
			Thresholds struct {
				Lag         levels
				OldestAge   levels  `yaml:"oldest_age"`
				ErrorRate   levels  `yaml:"error_rate"`
				MinRequests float64 `yaml:"min_requests"`
				DeadLetters levels  `yaml:"dead_letters"`
				StreamFull  levels  `yaml:"stream_full"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(printed), &config); err != nil {
		t.Fatal(err)
	}
	th := config.Monitor.Thresholds
	for alert, l := range map[string]levels{
		"ConsumerLagHigh": th.Lag, "OldestRequestTooOld": th.OldestAge, "DeadLettersGrowing": th.DeadLetters, "StreamNearlyFull": th.StreamFull,
	} {
		for severity, node := range map[string]yaml.Node{"warning": l.Degraded, "critical": l.Unhealthy} {
			if got, want := bounds(t, alert, severity), number(t, node); len(got) != 1 || got[0] != want {
				t.Errorf("%s (%s): got the threshold %v, want %v of the configuration", alert, severity, got, want)
			}
		}
	}
	want := []float64{number(t, th.ErrorRate.Degraded), th.MinRequests}
	if got := bounds(t, "HighErrorRate", "critical"); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("HighErrorRate: got the thresholds %v, want %v of the configuration", got, want)
	}
}

// number reads a number, or a duration in seconds.
func number(t *testing.T, n yaml.Node) float64 {
	t.Helper()
	var v float64
	if n.Decode(&v) == nil {
		return v
	}
	d, err := time.ParseDuration(n.Value)
	if err != nil {
		t.Fatal(err)
	}
	return d.Seconds()
}

// bounds are the numbers that an alert compares with.
func bounds(t *testing.T, alert, severity string) []float64 {
	t.Helper()
	var all []float64
	for _, r := range alerts(t) {
		if r.Alert != alert || r.Labels["severity"] != severity {
			continue
		}
		parser.Inspect(expression(t, r.Expr), func(n parser.Node, _ []parser.Node) error {
			if b, ok := n.(*parser.BinaryExpr); ok && b.Op.IsComparisonOperator() {
				all = append(all, literal(b.RHS))
			}
			return nil
		})
	}
	return all
}

func literal(e parser.Expr) float64 {
	if n, ok := e.(*parser.NumberLiteral); ok {
		return n.Val
	}
	return math.NaN()
}

// The documents show the defaults, too.
func TestTheThresholdsOfTheDocumentAreTheDefaults(t *testing.T) {
	printed, ok := run(t, "genesis", "config", "print")
	if !ok {
		t.Fatal(printed)
	}
	_, shown, found := strings.Cut(document(t), "\n    monitor:\n      worse_after")
	shown, _, ended := strings.Cut(shown, "\n      agents:")
	if !found || !ended {
		t.Fatal("docs/OPERATIONS.md shows no thresholds: want a block that begins with monitor: and worse_after:")
	}
	got, want := thresholdsOf(t, "monitor:\n      worse_after"+shown), thresholdsOf(t, printed)
	if len(got) == 0 {
		t.Fatalf("got no thresholds\ninput: %s", shown)
	}
	for key, value := range got {
		if want[key] != value {
			t.Errorf("%s: got %s in docs/OPERATIONS.md, want %s as `genesis config print` says", key, value, want[key])
		}
	}
}

// thresholdsOf flattens the scalars of the section monitor.
func thresholdsOf(t *testing.T, text string) map[string]string {
	t.Helper()
	var v struct{ Monitor yaml.Node }
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v\ninput: %s", err, text)
	}
	flat := map[string]string{}
	var walk func(prefix string, n *yaml.Node)
	walk = func(prefix string, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			flat[prefix] = n.Value
		}
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			walk(prefix+"."+n.Content[i].Value, n.Content[i+1])
		}
	}
	walk("monitor", &v.Monitor)
	return flat
}
