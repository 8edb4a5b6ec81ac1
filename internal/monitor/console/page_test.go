package console

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func TestThePageTellsEachFigureOfAnAgent(t *testing.T) {
	doc := page(t, busy())
	want := map[string]string{
		"Lag": "7", "Oldest": "3 s", "Arriving": "1.5", "Served": "1.25", "Drains in": "9 s",
		"Slots": "4 / 10", "Workers": "2", "Errors": "2.5 %", "Dead letters": "3",
	}
	for _, td := range all(rowOf(t, doc, "echo"), "td") {
		label := attr(td, "data-label")
		got := text(td)
		if label == "Lag" {
			got, _, _ = strings.Cut(got, " ")
		}
		if w, ok := want[label]; ok && got != w {
			t.Errorf("echo: %s = %q, want %q", label, got, w)
		}
		delete(want, label)
	}
	if len(want) > 0 {
		t.Errorf("echo: no cells for %v", want)
	}
	if got := text(rowOf(t, doc, "echo")); strings.Contains(got, "recover") {
		t.Errorf("echo: got %q, want nothing about recovery: it is healthy", got)
	}
	ill := rowOf(t, doc, "summarizer")
	for _, w := range []string{"Unhealthy", "for 1 h", "no worker serves it", "Expected to recover in 10 min"} {
		if got := text(ill); !strings.Contains(got, w) {
			t.Errorf("summarizer: got %q, want it to say %q", got, w)
		}
	}
	if got := strings.Count(text(ill), "not known"); got != 4 {
		t.Errorf("summarizer: %d figures are called not known, want 4 (rates, drain, errors): %q", got, text(ill))
	}
}

func TestEachSectionTellsItsRows(t *testing.T) {
	doc := page(t, busy())
	for section, want := range map[string][]string{
		"status":       {"Unhealthy", "summarizer has no worker", "1 unhealthy", "Connected", "nats-1", "Leading", "every 30 s", "1 lost", "47"},
		"breakers":     {"vertex", "Open", "503 from the model", "summarizer", "1 open"},
		"workers":      {"wk-1", "Serving", "wk-2", "Lost", "1 min ago", "1 lost"},
		"dead-letters": {"9f31c2aa", "summarizer", "exhausted", "the model is overloaded", "41"},
		"streams":      {"GENESIS_RESULTS", "Degraded", "nearly full", "2 KiB", "90 %", "nats-3"},
		"events":       {"agent/summarizer", "Unhealthy", "was healthy", "no worker serves it"},
	} {
		got := text(byID(t, doc, section))
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("#%s: got %q, want it to say %q", section, got, w)
			}
		}
	}
}

func TestThePageReadsWithoutEyes(t *testing.T) {
	doc := page(t, busy())
	ids := map[string]bool{}
	var announced []string
	for _, n := range all(doc, "") {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("the id %q is there twice", id)
			}
			ids[id] = true
		}
		if has(n, "style") {
			t.Errorf("<%s> has a style of its own, which the policy forbids", n.Data)
		}
		if attr(n, "aria-live") != "" || attr(n, "role") == "status" {
			announced = append(announced, text(n))
		}
	}
	if want := []string{"Unhealthy summarizer has no worker"}; !slices.Equal(announced, want) {
		t.Errorf("what is announced when it changes is %q, want the status line only: %q", announced, want)
	}
	if got := len(all(doc, "h1")); got != 1 {
		t.Errorf("%d h1, want 1", got)
	}
	for _, table := range all(doc, "table") {
		if len(all(table, "caption")) == 0 || text(all(table, "caption")[0]) == "" {
			t.Errorf("a table has no caption: %q", text(table))
		}
		for _, th := range all(table, "th") {
			if scope := attr(th, "scope"); scope != "col" && scope != "row" {
				t.Errorf("the heading cell %q has the scope %q", text(th), scope)
			}
		}
	}
	for _, section := range all(doc, "section") {
		if label := attr(section, "aria-labelledby"); !ids[label] {
			t.Errorf("#%s is labelled by %q, which is not there", attr(section, "id"), label)
		}
	}
	for _, a := range all(doc, "a") {
		if href := attr(a, "href"); !ids[strings.TrimPrefix(href, "#")] {
			t.Errorf("the link %q leads nowhere", href)
		}
	}
	for _, moment := range all(doc, "time") {
		if _, err := time.Parse(time.RFC3339, attr(moment, "datetime")); err != nil || !strings.HasSuffix(attr(moment, "title"), " UTC") {
			t.Errorf("<time datetime=%q title=%q> %q: want RFC 3339, and the absolute time as title", attr(moment, "datetime"), attr(moment, "title"), text(moment))
		}
	}
}

func TestNoStateIsToldByColourAlone(t *testing.T) {
	doc := page(t, busy())
	badges := 0
	for _, n := range all(doc, "span") {
		classes := strings.Fields(attr(n, "class"))
		if !slices.Contains(classes, "badge") {
			continue
		}
		badges++
		if text(n) == "" || len(all(n, "use")) != 1 {
			t.Errorf("the badge %v says %q with %d shapes, want a word and a shape", classes, text(n), len(all(n, "use")))
		}
	}
	if badges < 6 {
		t.Errorf("%d badges, want one for each agent, breaker, worker, event and ill stream", badges)
	}
}

func TestEveryChartHasItsTable(t *testing.T) {
	doc := page(t, busy())
	charts := 0
	for _, svg := range all(doc, "svg") {
		if attr(svg, "role") != "img" {
			continue
		}
		charts++
		if got, want := attr(svg, "aria-label"), "Lag over 3 rounds: now 7, lowest 0, highest 12"; got != want {
			t.Errorf("the chart is called %q, want %q", got, want)
		}
		details := svg.Parent.Parent
		var values []string
		for _, td := range all(all(details, "table")[1], "td") {
			values = append(values, text(td))
		}
		if want := []string{"0", "12", "7"}; !slices.Equal(values, want) {
			t.Errorf("the table beside the chart holds %v, want %v", values, want)
		}
	}
	if charts != 1 {
		t.Errorf("%d charts, want 1: only echo has a history", charts)
	}
}

func TestAPageWithoutScriptsRenewsItself(t *testing.T) {
	for interval, want := range map[time.Duration]string{0: "5", time.Second: "5", 30 * time.Second: "30", time.Hour: "60"} {
		v := busy()
		v.Round.Interval = interval
		var got string
		for _, n := range all(page(t, v), "noscript") {
			for d := range n.Descendants() {
				if d.Type == html.TextNode {
					got += d.Data // scripts are on for this parser: it is text
				} else {
					got += attr(d, "content")
				}
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("with rounds every %s: the page without scripts says %q, want a reload after %s s", interval, got, want)
		}
	}
}

func TestAnEmptyPageSaysWhatItMeans(t *testing.T) {
	looked := View{
		Status: Healthy, Broker: Broker{Connected: true}, Monitor: Monitor{Name: "monitor-1", Leader: "monitor-2"},
		Round: Round{Last: now(), Interval: time.Second}, Watched: now().Add(-3 * time.Minute),
	}
	away := View{
		Status: Unhealthy, Message: "the broker is away", Broker: Broker{Since: now().Add(-90 * time.Second), Problem: "connection refused"},
		Round: Round{Last: now().Add(-2 * time.Minute), Interval: time.Second, Stale: true},
	}
	for name, c := range map[string]struct {
		view View
		want map[string]string
	}{
		"nothing there": {looked, map[string]string{
			"agents": "none is configured", "events": "nothing has changed since this monitor began to watch, 3 min ago",
			"dead-letters": "No dead letters are kept", "workers": "wait until one starts", "breakers": "no worker has told of one",
			"streams": "genesis streams apply", "status": "monitor-2 leads",
		}},
		"broker away": {away, map[string]string{
			"agents": "Not known while the broker is away", "workers": "Not known while the broker is away",
			"dead-letters": "Not known while the broker is away", "status": "The broker is away , for 1 min now",
		}},
		"stale":        {away, map[string]string{"status": "The last round was 2 min ago , though there should be one every 1 s"}},
		"before all":   {View{Broker: Broker{Connected: true}}, map[string]string{"status": "No round has been judged yet", "agents": "Not known before the first round"}},
		"nobody leads": {View{Broker: Broker{Connected: true}}, map[string]string{"status": "Nobody leads"}},
	} {
		t.Run(name, func(t *testing.T) {
			doc := page(t, c.view)
			for section, want := range c.want {
				if got := text(byID(t, doc, section)); !strings.Contains(got, want) {
					t.Errorf("#%s: got %q, want it to say %q", section, got, want)
				}
			}
		})
	}
}
