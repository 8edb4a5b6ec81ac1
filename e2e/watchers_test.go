package e2e

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// How much faster time passes in these tests than in deploy/: a rule that waits a minute
// there waits a second here, and Alertmanager is faster still.
const (
	faster          = 60
	alertmanFaster  = 300
	scrapesInterval = "250ms"
)

// watchers are Prometheus and Alertmanager with the configuration of deploy/, watching a
// system. Only durations and addresses are changed.
type watchers struct {
	*caller
	*receiver
	prometheus, alertmanager *process
}

func watch(s *system) *watchers {
	t := s.t
	t.Helper()
	w := &watchers{caller: s.caller, receiver: newReceiver(t)}
	dir := t.TempDir()

	routes := parse[map[string]any](t, alertmanagerFile)
	quicken(t, routes["route"], alertmanFaster, "group_wait", "group_interval")
	for _, r := range routes["receivers"].([]any) {
		r.(map[string]any)["webhook_configs"] = []any{map[string]any{"url": w.url}}
	}
	write(t, filepath.Join(dir, "alertmanager.yml"), marshal(t, routes))
	w.alertmanager = start(t, nil, tool(t, "alertmanager", "prometheus-alertmanager"),
		"--config.file="+filepath.Join(dir, "alertmanager.yml"), "--storage.path="+filepath.Join(dir, "alerts"),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=").listens(listening)

	rules := parse[map[string]any](t, rulesFile)
	quicken(t, rules, faster, "for")
	write(t, filepath.Join(dir, "alerts.yml"), marshal(t, rules))
	config := parse[map[string]any](t, prometheusFile)
	config["global"] = map[string]any{"scrape_interval": scrapesInterval, "evaluation_interval": scrapesInterval}
	config["alerting"] = map[string]any{"alertmanagers": []any{map[string]any{"static_configs": targets(w.alertmanager)}}}
	for _, c := range config["scrape_configs"].([]any) {
		job := c.(map[string]any)
		job["static_configs"] = targets(s.programs()[strings.TrimPrefix(job["job_name"].(string), "genesis-")]...)
	}
	write(t, filepath.Join(dir, "prometheus.yml"), marshal(t, config))
	w.prometheus = start(t, nil, tool(t, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "series"), "--web.listen-address=127.0.0.1:0").listens(listening)
	return w
}

const listening = `msg="Listening on" address=(127\.0\.0\.1:\d+)`

// programs are the programs by the names of their jobs.
func (s *system) programs() map[string][]*process {
	return map[string][]*process{"gateway": {s.gateway}, "worker": s.workers, "monitor": s.monitors}
}

func targets(programs ...*process) []any {
	var addresses []string
	for _, p := range programs {
		addresses = append(addresses, strings.TrimPrefix(p.url, "http://"))
	}
	return []any{map[string]any{"targets": addresses}}
}

// quicken divides durations, wherever they stand in a configuration.
func quicken(t *testing.T, v any, by time.Duration, keys ...string) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			quicken(t, item, by, keys...)
		}
	case map[string]any:
		for _, key := range keys {
			if text, ok := v[key].(string); ok {
				d, err := model.ParseDuration(text)
				if err != nil {
					t.Fatal(err)
				}
				v[key] = (d / model.Duration(by)).String()
			}
		}
		for _, item := range v {
			quicken(t, item, by, keys...)
		}
	}
}

// sample is one series of an answer of Prometheus.
type sample struct {
	Metric map[string]string
	Value  [2]any   // at one time
	Values [][2]any // over some time
}

// query asks Prometheus for what an expression is now.
func (w *watchers) query(expr string) ([]sample, error) {
	return w.samples("/api/v1/query?query=" + url.QueryEscape(expr))
}

// history asks for what an expression was each second of the last so many.
func (w *watchers) history(expr string, last time.Duration) ([]sample, error) {
	now := time.Now()
	return w.samples(fmt.Sprintf("/api/v1/query_range?query=%s&start=%d&end=%d&step=1", url.QueryEscape(expr), now.Add(-last).Unix(), now.Unix()))
}

func (w *watchers) samples(path string) ([]sample, error) {
	var answer struct {
		Data struct{ Result []sample }
	}
	err := w.ask(w.prometheus.url+path, &answer)
	return answer.Data.Result, err
}

// heldBack says what is wrong unless Alertmanager holds an alert of an agent back because
// of another one.
func (w *watchers) heldBack(alert, agent, because string) error {
	var all []struct {
		Fingerprint string
		Labels      map[string]string
		Status      struct{ InhibitedBy []string }
	}
	if err := w.ask(w.alertmanager.url+"/api/v2/alerts", &all); err != nil {
		return err
	}
	names := map[string]string{}
	for _, a := range all {
		names[a.Fingerprint] = a.Labels["alertname"]
	}
	for _, a := range all {
		for _, by := range a.Status.InhibitedBy {
			if a.Labels["alertname"] == alert && a.Labels["agent"] == agent && names[by] == because {
				return nil
			}
		}
	}
	return fmt.Errorf("none of %d alerts is %s of %q, held back by %s", len(all), alert, agent, because)
}
