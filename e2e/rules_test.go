package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

const (
	rulesFile      = "../deploy/prometheus/alerts.yml"
	rulesTests     = "../deploy/prometheus/alerts_test.yml"
	prometheusFile = "../deploy/prometheus/prometheus.yml"
)

// rules is a file of rules, as Prometheus reads it.
type rules struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

// A rule is one alert. Several may have one name, with different severities.
type rule struct {
	Alert       string
	Expr        string
	For         string `yaml:",omitempty"`
	Labels      map[string]string
	Annotations map[string]string
}

func parse[T any](t *testing.T, path string) (v T) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// alerts are all rules of deploy/.
func alerts(t *testing.T) []rule {
	t.Helper()
	var all []rule
	for _, g := range parse[rules](t, rulesFile).Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func expression(t *testing.T, text string) parser.Expr {
	t.Helper()
	e, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%v\ninput: %s", err, text)
	}
	return e
}

func TestPrometheusAndAlertmanagerTakeTheirConfiguration(t *testing.T) {
	for _, command := range [][]string{
		{"promtool", "check", "config", prometheusFile},
		{"promtool", "check", "rules", rulesFile},
		{"amtool", "check-config", alertmanagerFile},
	} {
		if out, ok := run(t, command[0], command[1:]...); !ok {
			t.Errorf("%s:\n%s", strings.Join(command, " "), out)
		}
	}
}

func TestEveryAlertSaysWhatWhereAndWhatToDo(t *testing.T) {
	for _, r := range alerts(t) {
		for key, bad := range map[string]bool{
			"severity is warning or critical":    r.Labels["severity"] != "warning" && r.Labels["severity"] != "critical",
			"component":                          r.Labels["component"] == "",
			"summary":                            r.Annotations["summary"] == "",
			"description":                        r.Annotations["description"] == "",
			"runbook_url is that of its section": r.Annotations["runbook_url"] != "docs/OPERATIONS.md#"+strings.ToLower(r.Alert),
			"an agent's alert names it":          r.Labels["component"] == "agent" && !strings.Contains(r.Annotations["summary"], "$labels.agent"),
		} {
			if bad {
				t.Errorf("%s (%s): %s: it is not so in %v %v", r.Alert, r.Labels["severity"], key, r.Labels, r.Annotations)
			}
		}
	}
}
