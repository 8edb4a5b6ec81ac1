package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The running system, watched by the real Prometheus and Alertmanager: what is exported
// is what the alerts and the dashboard name, and the alerts that matter most come and go.
func TestPrometheusWatchesTheRunningSystem(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	w := watch(s)
	await(t, "all targets are scraped", func() error {
		up, err := w.query("up == 1")
		if err == nil && len(up) != 5 {
			err = fmt.Errorf("%d are", len(up))
		}
		return err
	})
	exercise(s)
	namesAgree(t, s)
	panelsShow(t, w)
	workersKilled(s, w)
	brokerGone(s, w)
	rulesWork(t, w)
}

// exercise makes something happen for everything that is measured.
func exercise(s *system) {
	s.mustSend(20, "echo", `{"prompt":"hi"}`)
	s.mustSend(2, "probe", `{"input":{"sleep_ms":60000},"timeout":0.05}`) // timeouts, retries, dead letters
	s.mustSend(2, "quotes", `{"prompt":"hi"}`)                            // degraded answers, an open breaker
	s.mustSend(10, "limited", `{"prompt":"hi"}`)                          // rejections
	s.mustSend(40, "probe", `{"input":{"sleep_ms":100}}`)                 // a lag that drains
}

// namesAgree checks that every metric that is named somewhere is exported, with its
// labels, and that every one that is exported is in the document.
func namesAgree(t *testing.T, s *system) {
	t.Helper()
	exported := metrics{}
	wanted := used(t)
	await(t, "every metric of the alerts and the dashboard is exported", func() error {
		for _, programs := range s.programs() {
			for _, p := range programs {
				if err := exported.scrape(s.caller, p); err != nil {
					return err
				}
			}
		}
		if missing := exported.lacks(wanted); len(missing) > 0 {
			return fmt.Errorf("not exported: %s", strings.Join(missing, ", "))
		}
		return nil
	})
	table := documented(t)
	for name, labels := range exported {
		ours := strings.HasPrefix(name, "genesis_") && !regexp.MustCompile(`_(sum|count)$`).MatchString(name)
		if ours && !maps.Equal(labels, table[name]) {
			t.Errorf("%s has the labels %v, and in docs/OPERATIONS.md %v", name, slices.Sorted(maps.Keys(labels)), slices.Sorted(maps.Keys(table[name])))
		}
	}
}

// workersKilled kills the workers under load: that nobody serves an agent is told, and
// that somebody does again.
func workersKilled(s *system, w *watchers) {
	s.t.Helper()
	s.underLoad(func(sent *atomic.Int64) {
		before := w.count()
		s.killWorkers()
		told := w.await(before, "NoWorker", "firing", "agent=echo", "severity=critical")
		if want := regexp.MustCompile(`^No worker serves echo, and [1-9]\d* request\(s\) wait\.$`); told.Receiver != "pager" || !want.MatchString(told.Annotations["description"]) {
			s.t.Errorf("got %+v, want it for the pager, with what waits", told)
		}
		lost := w.await(before, "WorkerLost", "firing")
		if lost.Receiver != "operators" {
			s.t.Errorf("got %+v, want it for the operators", lost)
		}
		await(s.t, "1,100 requests were sent", func() error {
			if n := sent.Load(); n < 1100 {
				return fmt.Errorf("%d were", n)
			}
			return nil
		})
		await(s.t, "the lag of echo is held back, because nobody serves it", func() error { return w.heldBack("ConsumerLagHigh", "echo", "NoWorker") })

		before = w.count()
		s.startWorkers()
		w.await(before, "NoWorker", "resolved", "agent=echo", "severity=critical")
		w.await(before, "WorkerLost", "resolved")
	})
}

// brokerGone takes the broker away: that is told, and not what follows from it.
func brokerGone(s *system, w *watchers) {
	s.t.Helper()
	before := w.count()
	s.broker.Down(s.t)
	told := w.await(before, "NATSUnreachable", "firing", "severity=critical", "component=broker")
	if want := "None of the 2 monitor(s) has a connection to NATS"; told.Receiver != "pager" || !strings.HasPrefix(told.Annotations["description"], want) {
		s.t.Errorf("got %+v, want it for the pager: %s", told, want)
	}
	await(s.t, "that nobody leads is held back, because NATS is away", func() error { return w.heldBack("NoMonitorLeader", "", "NATSUnreachable") })
	before = w.count()
	s.broker.Restart(s.t)
	w.await(before, "NATSUnreachable", "resolved", "severity=critical", "component=broker")
}

// rulesWork checks that Prometheus could evaluate every rule.
func rulesWork(t *testing.T, w *watchers) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := w.ask(w.prometheus.url+"/api/v1/rules", &answer); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			n++
			if r.Health != "ok" {
				t.Errorf("%s: got health %q %s, want ok", r.Name, r.Health, r.LastError)
			}
		}
	}
	if want := len(alerts(t)); n != want {
		t.Errorf("got %d rules, want %d", n, want)
	}
}

// panelsShow checks that no panel of the dashboard is empty, nor its legend.
func panelsShow(t *testing.T, w *watchers) {
	t.Helper()
	legend := regexp.MustCompile(`\{\{(\w+)\}\}`)
	for _, p := range board(t).Panels {
		for _, target := range p.Targets {
			await(t, "the panel "+p.Title+" shows "+target.Expr, func() error {
				shown, err := w.history(plain(target.Expr), time.Minute)
				if err != nil || len(shown) == 0 {
					return fmt.Errorf("%d series: %w", len(shown), err)
				}
				for _, label := range legend.FindAllStringSubmatch(target.Legend, -1) {
					if !slices.ContainsFunc(shown, func(s sample) bool { return s.Metric[label[1]] != "" }) {
						return fmt.Errorf("no series has the label %s of its legend", label[1])
					}
				}
				return nil
			})
		}
	}
}
