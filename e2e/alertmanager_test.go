package e2e

import (
	"strings"
	"testing"
)

const alertmanagerFile = "../deploy/alertmanager/alertmanager.yml"

func TestOnlyWhatIsCriticalIsPaged(t *testing.T) {
	for labels, want := range map[string]string{
		"alertname=NoWorker severity=critical agent=echo": "pager",
		"alertname=NoWorker severity=warning agent=echo":  "operators",
		"alertname=SomebodyElses":                         "operators",
	} {
		args := append([]string{"config", "routes", "test", "--config.file=" + alertmanagerFile}, strings.Fields(labels)...)
		out, ok := run(t, "amtool", args...)
		if !ok || !strings.HasSuffix(out, "\n"+want+"\n") { // below a warning of no matter
			t.Errorf("%s: got %q, want %s", labels, out, want)
		}
	}
}

// An alert that is misspelt in an inhibition inhibits nothing, and nobody notices.
func TestInhibitionsNameAlertsAndComponentsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, r := range alerts(t) {
		for name, value := range r.Labels {
			known[name+" "+value] = true
		}
		known["alertname "+r.Alert] = true
	}
	config := parse[struct {
		Rules []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
		} `yaml:"inhibit_rules"`
	}](t, alertmanagerFile)
	for _, r := range config.Rules {
		for _, matcher := range append(r.Source, r.Target...) {
			name, values, ok := strings.Cut(strings.ReplaceAll(matcher, "=~", "="), "=")
			if !ok {
				t.Errorf("got the matcher %q, want name=value", matcher)
			}
			for value := range strings.SplitSeq(strings.Trim(values, `"`), "|") {
				if !known[name+" "+value] {
					t.Errorf("%s: no alert has %s=%q", matcher, name, value)
				}
			}
		}
	}
}
