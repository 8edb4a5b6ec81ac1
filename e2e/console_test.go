package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// The page of the monitor, as a person sees it, in a real browser.

// says is an expression: what an element says, its blanks made one.
func says(selector string) string {
	return fmt.Sprintf(`(document.querySelector(%q)?.innerText ?? "nothing").replace(/\s+/g, " ")`, selector)
}

func includes(selector, text string) string {
	return fmt.Sprintf("%s.includes(%q)", says(selector), text)
}

func TestThePageShowsAKilledWorkerWithoutAReload(t *testing.T) {
	s := newSystem(t)
	b := newBrowser(t)
	b.look("light", 1280)
	b.open(s.monitors[0].url + "/")
	const one, two = `#workers tr[data-key="one"]`, `#workers tr[data-key="two"]`
	b.until("both workers serve", includes(one, "Serving")+"&&"+includes(two, "Serving"), says("#workers"))
	b.until("the page is live", includes("#link", "Live"), says("#link"))
	const panel = `#agents tr[data-key="echo"] details`
	b.until("echo has a history", `!!document.querySelector('`+panel+`')`, says("#agents"))
	// What the person does stays: a mark on the window, an open panel, the focus, a selection.
	eval[bool](b, `(() => {
		window.mark = "the same page";
		const panel = document.querySelector('`+panel+`');
		panel.open = true;
		panel.querySelector("summary").focus();
		getSelection().selectAllChildren(document.querySelector('`+one+` th'));
		return true;
	})()`)

	s.workers[1].kill()
	b.until("the killed worker is lost on the page", includes(two, "Lost"), says("#workers"))
	b.until("its event is on the page", includes("#events", "worker/two"), says("#events"))
	b.until("the status says so", includes("#status", "1 lost"), says("#status"))
	if got := eval[string](b, says(one)); !strings.Contains(got, "Serving") {
		t.Errorf("the other worker: %q, want it to serve still", got)
	}
	const state = `[window.mark ?? "another page", document.querySelector('` + panel + `').open ? "open" : "shut",
		document.activeElement.closest("tr")?.dataset.key ?? "no focus", getSelection().toString().trim()].join(", ")`
	if got, want := eval[string](b, state), "the same page, open, echo, one"; !strings.HasPrefix(got, want) {
		t.Errorf("after the change: %q, want %q", got, want)
	}

	s.workers[1] = s.program("worker", s.workers[1].env, "127.0.0.1:0")
	b.until("the worker that is back serves on the page", includes(two, "Serving"), says("#workers"))
	b.mustBeQuiet()
}

func TestThePageTellsThatItsMonitorIsAwayAndComesBackWithIt(t *testing.T) {
	s := newSystem(t)
	b := newBrowser(t)
	b.look("dark", 1280)
	m := s.monitors[0]
	b.open(m.url + "/")
	b.until("the page is live", includes("#link", "Live"), says("#link"))
	eval[string](b, `window.mark = "the same page"`)
	m.kill()
	b.until("the page says that it is not live", includes("#link", "Not live: this is from"), says("#link"))
	s.monitors[0] = s.program("monitor", m.env, strings.TrimPrefix(m.url, "http://"))
	b.until("the page is live again", `document.querySelector("#link").innerText.trim() === "Live"`, says("#link"))
	b.until("it shows the workers", includes("#workers", "Serving"), says("#workers"))
	if got := eval[string](b, `window.mark ?? "another page"`); got != "the same page" {
		t.Errorf("the page was loaded anew, though the program is the same")
	}
	b.mustBeQuiet()
}

// aFullPage is a page with something in each section, opened.
func aFullPage(t *testing.T) *browser {
	t.Helper()
	s := newSystem(t)
	s.mustSend(3, "echo", `{"prompt":"hi"}`)
	s.mustSend(1, "quotes", `{"prompt":"hi"}`) // opens a breaker
	if _, err := s.call(http.MethodPost, s.gateway.url+"/v1/agents/probe/requests", `{"input":{"fail":"permanent"}}`, http.StatusAccepted); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	b.look("light", 1280)
	b.open(s.monitors[0].url + "/")
	s.workers[1].kill()
	b.until("a worker is lost", includes("#events", "worker/two"), says("#events"))
	b.until("a breaker is open", includes("#breakers", "gone"), says("#breakers"))
	b.until("there is a dead letter", includes("#dead-letters", "permanent"), says("#dead-letters"))
	b.until("there is a history", `!!document.querySelector("#agents details")`, says("#agents"))
	return b
}

func TestThePageIsForEverybody(t *testing.T) {
	b := aFullPage(t)
	eval[bool](b, axe(t)+"; true")
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 900, 400} {
			b.look(scheme, width)
			for _, opened := range []bool{false, true} {
				eval[bool](b, fmt.Sprintf(`document.querySelector("#agents details").open = %t; true`, opened))
				if found := findings(b); found != "" {
					t.Errorf("%s, %d px, a panel open %t: axe finds\n%s", scheme, width, opened, found)
				}
				if over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
					t.Errorf("%s, %d px, a panel open %t: the page is %d px wider than the window", scheme, width, opened, over)
				}
			}
		}
	}
	b.mustBeQuiet()
}

// findings are what the accessibility checker finds in the page as it is. What it cannot
// decide counts too, unless an open panel lies over it. The page goes on while the checker
// runs, so what it cannot find again at once was a row that went away under it.
func findings(b *browser) (found string) {
	b.t.Helper()
	for range 3 {
		found = eval[string](b, `axe.run().then((r) => r.violations.concat(document.querySelector("details[open]") ? [] : r.incomplete)
			.map((v) => v.id + ": " + v.help + "\n" + v.nodes.map((n) => "  " + n.html + "\n  " + n.failureSummary).join("\n")).join("\n"))`)
		if found == "" {
			break
		}
	}
	return found
}

func TestThePageIsWalkedByKeyboard(t *testing.T) {
	b := aFullPage(t)
	const here = `(() => {
		const e = document.activeElement, r = e.getBoundingClientRect(), style = getComputedStyle(e);
		const seen = r.width > 0 && r.right > 0 && r.bottom > 0 && r.top < innerHeight && style.outlineStyle !== "none";
		return (e.closest("details") ? "lag of " + e.closest("tr").dataset.key : e.innerText.trim()) + (seen ? "" : ", not seen");
	})()`
	b.press(kb.Tab)
	if got, want := eval[string](b, here), "Skip to the overview"; got != want {
		t.Fatalf("the first stop is %q, want %q", got, want)
	}
	var stops []string
	for range 6 {
		b.press(kb.Tab)
		stops = append(stops, eval[string](b, here))
	}
	if got, want := strings.Join(stops, "; "), "Agents; Dead letters; Events; Breakers; Workers; Streams"; got != want {
		t.Errorf("the next stops are %q, want %q", got, want)
	}
	b.press(kb.Tab)
	stop := eval[string](b, here)
	if !strings.HasPrefix(stop, "lag of ") || strings.HasSuffix(stop, "not seen") {
		t.Fatalf("after the sections comes %q, want the lag of an agent", stop)
	}
	const opened = `document.activeElement.closest("details").open`
	b.press(kb.Enter)
	if !eval[bool](b, opened) {
		t.Error("Enter does not open the figures of a chart")
	}
	b.press(kb.Tab) // into the panel, which may have to be scrolled
	if got := eval[string](b, here); got != stop {
		t.Errorf("within the panel: %q, want %q", got, stop)
	}
	b.press(kb.Escape)
	if eval[bool](b, opened) {
		t.Error("Escape does not shut the figures of a chart")
	}
	if got := eval[string](b, `document.activeElement.localName`); got != "summary" {
		t.Errorf("after Escape the focus is on <%s>, want it back on the chart", got)
	}
	b.mustBeQuiet()
}
