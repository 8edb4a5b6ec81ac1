package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

func TestEveryAlertFiresAndEndsAndSparesWhatIsNotEnough(t *testing.T) {
	if out, ok := run(t, "promtool", "test", "rules", rulesTests); !ok {
		t.Fatal(out)
	}
	cases := parse[ruleTests](t, rulesTests)
	for _, r := range alerts(t) {
		var fired, ended bool
		for _, c := range cases.Tests {
			now := false
			for _, expected := range c.of(r.Alert) {
				before := now
				now = slices.ContainsFunc(expected, func(a expectedAlert) bool { return a.Labels["severity"] == r.Labels["severity"] })
				fired, ended = fired || now, ended || before && !now
			}
		}
		if !fired || !ended {
			t.Errorf("%s (%s): got a test in which it fires %v, and one in which it ends %v, want both", r.Alert, r.Labels["severity"], fired, ended)
		}
	}
}

// The unit tests are only worth something if they fail when a rule is changed: each
// threshold by a sixth or to the next state, each wait by half of it.
func TestTheUnitTestsNoticeEveryChangeOfARule(t *testing.T) {
	t.Parallel()
	promtool := parse[ruleTests](t, rulesTests)
	for i, r := range alerts(t) {
		for _, m := range mutants(t, r) {
			t.Run(fmt.Sprintf("%s %s %s", r.Alert, r.Labels["severity"], m.name), func(t *testing.T) {
				t.Parallel()
				changed, at := parse[rules](t, rulesFile), 0
				for g := range changed.Groups {
					for k := range changed.Groups[g].Rules {
						if at == i {
							changed.Groups[g].Rules[k] = m.rule
						}
						at++
					}
				}
				only := promtool.about(r.Alert)
				dir := t.TempDir()
				write(t, filepath.Join(dir, "alerts.yml"), marshal(t, changed))
				write(t, filepath.Join(dir, "test.yml"), marshal(t, only))
				if out, ok := run(t, "promtool", "test", "rules", filepath.Join(dir, "test.yml")); ok {
					t.Errorf("got no failure, want one\ninput: %s for %q\n%s", m.rule.Expr, m.rule.For, out)
				}
			})
		}
	}
}

type mutant struct {
	name string
	rule rule
}

var threshold = regexp.MustCompile(`(>=|>|<=|<|==) ([0-9.]+)`)

// mutants are changes of a rule that change what it means.
func mutants(t *testing.T, r rule) []mutant {
	t.Helper()
	var all []mutant
	for _, at := range threshold.FindAllStringSubmatchIndex(r.Expr, -1) {
		comparison, text := r.Expr[at[2]:at[3]], r.Expr[at[4]:at[5]]
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		less, more := number*5/6, number*7/6
		if number == 0 || number == 1 || number == 2 { // a count or a state: the next one
			less, more = number, number+1
		}
		for _, other := range []float64{less, more} {
			if other != number {
				m := r
				m.Expr = r.Expr[:at[4]] + fmt.Sprint(other) + r.Expr[at[5]:]
				all = append(all, mutant{fmt.Sprint(comparison, " ", text, " is ", other), m})
			}
		}
	}
	if r.For != "" {
		wait, err := model.ParseDuration(r.For)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []model.Duration{wait / 2, wait * 3 / 2} {
			m := r
			m.For = other.String()
			all = append(all, mutant{"waits " + m.For, m})
		}
	}
	return all
}

// ruleTests is a file of promtool's unit tests.
type ruleTests struct {
	RuleFiles []string   `yaml:"rule_files"`
	Interval  string     `yaml:"evaluation_interval"`
	Tests     []ruleTest `yaml:"tests"`
}

type ruleTest struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Series   any    `yaml:"input_series"`
	Alerts   []struct {
		At       string          `yaml:"eval_time"`
		Alert    string          `yaml:"alertname"`
		Expected []expectedAlert `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
}

type expectedAlert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// of returns what is expected of an alert, time after time.
func (c ruleTest) of(alert string) [][]expectedAlert {
	var all [][]expectedAlert
	for _, a := range c.Alerts {
		if a.Alert == alert {
			all = append(all, a.Expected)
		}
	}
	return all
}

// about leaves the tests of an alert.
func (c ruleTests) about(alert string) ruleTests {
	c.Tests = slices.DeleteFunc(slices.Clone(c.Tests), func(c ruleTest) bool { return len(c.of(alert)) == 0 })
	return c
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
