package console

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"
)

// hostile are texts that want to be more than text.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`' onmouseover='alert(1)`,
		`</title></style></textarea></noscript><svg onload=alert(1)>`,
		`{{.}} ${7*7} javascript:alert(1)`,
		"line\nbreak\r\ndata: {}\n\nevent: x",
		"\x00\x01\x1b[31mred\x7f\u0085",
		"\u202Edesrever\u202C \u2066isolated\u2069 zero\u200Bwidth\u2028next",
		"\xff\xfe broken \xc3",
		strings.Repeat("x", 5000),
		strings.Repeat("å ", 5000),
		"",
		"   ",
	}
}

// fill puts a text into every text of a View, and returns the View.
func fill(v View, text string) View {
	var into func(reflect.Value)
	into = func(r reflect.Value) {
		switch r.Kind() {
		case reflect.String:
			r.SetString(text)
		case reflect.Struct:
			for i := range r.NumField() {
				if r.Type().Field(i).IsExported() {
					into(r.Field(i))
				}
			}
		case reflect.Slice:
			for i := range r.Len() {
				into(r.Index(i))
			}
		default:
		}
	}
	into(reflect.ValueOf(&v).Elem())
	return v
}

func TestTextsFromAnywhereStayTexts(t *testing.T) {
	plain := shape(page(t, fill(busy(), "plain")))
	for _, bad := range hostile() {
		doc := page(t, fill(busy(), bad))
		if got := shape(doc); got != plain {
			t.Errorf("text %.40q: the elements of the page differ from those with a harmless text:\n got %.2000s\nwant %.2000s", bad, got, plain)
		}
		for d := range doc.Descendants() {
			for _, a := range d.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
					t.Errorf("text %.40q: <%s> has %s=%q", bad, d.Data, a.Key, a.Val)
				}
			}
			if d.Type != html.TextNode {
				continue
			}
			if i := strings.IndexFunc(d.Data, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }); i >= 0 {
				t.Errorf("text %.40q: the page shows what cannot be seen: %q", bad, d.Data)
			}
			if n := len([]rune(d.Data)); n > maxText+20 {
				t.Errorf("text %.40q: the page shows %d runes of it, want at most %d", bad, n, maxText)
			}
		}
		if got := text(rowOf(t, doc, name(bad))); !strings.HasPrefix(got, strings.Join(strings.Fields(name(bad)), " ")) {
			t.Errorf("text %.40q: the agent is shown as %.60q, want it to begin with %.60q", bad, got, name(bad))
		}
	}
}

// shape is the elements of a page without what they say. Notices and reasons come and go
// with their texts, and are no part of it.
func shape(doc *html.Node) string {
	var b strings.Builder
	for _, n := range all(doc, "") {
		switch n.Data {
		case "p", "span", "small", "b", "br", "q", "strong":
			continue
		}
		b.WriteString("<" + n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteString(">")
	}
	return b.String()
}

func TestFiguresFromAnywhereAreShown(t *testing.T) {
	v := busy()
	v.Agents[0] = Agent{
		Name: "echo", Lag: math.MaxUint64, OldestAge: math.MaxInt64, Arrival: math.NaN(), Service: math.Inf(1), Drain: math.MinInt64,
		Slots: -1, InUse: math.MaxInt, Workers: math.MinInt, ErrorRate: math.NaN(), DeadLetters: math.MaxUint64,
		History: []uint64{math.MaxUint64, 0, math.MaxUint64}, Since: time.Unix(1<<40, 0), Recovery: time.Unix(-1<<40, 0),
	}
	v.Agents[1].DeadLetters = math.MaxUint64
	v.Streams[0].Full, v.Streams[0].Bytes = math.Inf(1), math.MaxUint64
	got := text(page(t, v))
	for _, bad := range []string{"NaN", "Inf", "ZgotmplZ", "%!"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page says %q: %s", bad, got)
		}
	}
}

func TestManyRowsAreCutAndTheRestIsCounted(t *testing.T) {
	v := busy()
	for i := range 2000 {
		n := fmt.Sprintf("more-%04d", i)
		v.Agents = append(v.Agents, Agent{Name: n, State: Healthy, History: []uint64{1, 2}})
		v.Workers = append(v.Workers, Worker{Name: n})
		v.Breakers = append(v.Breakers, Breaker{Provider: n})
		v.Streams = append(v.Streams, Stream{Name: n, Messages: uint64(i)})
		v.DeadLetters = append(v.DeadLetters, DeadLetters{Fingerprint: n})
		v.Events = append(v.Events, Event{Component: n})
	}
	doc := page(t, v)
	for section, want := range map[string]struct {
		rows int
		more string
	}{
		"agents": {maxAgents, "1,002 more agents"}, "workers": {maxWorkers, "1,802 more workers"},
		"breakers": {maxBreakers, "1,801 more breakers"}, "streams": {maxStreams, "1,901 more streams"},
		"dead-letters": {maxLetters, "1,951 more causes"}, "events": {maxEvents, ""},
	} {
		rows := 0
		for _, tr := range all(byID(t, doc, section), "tr") {
			if has(tr, "data-key") {
				rows++
			}
		}
		if got := text(byID(t, doc, section)); rows != want.rows || !strings.Contains(got, want.more) {
			t.Errorf("#%s: %d rows, want %d, and to hear of %q", section, rows, want.rows, want.more)
		}
	}
	if got := len(all(byID(t, doc, "agents"), "details")); got != maxCharts-1 { // summarizer has no history
		t.Errorf("%d charts, want %d", got, maxCharts-1)
	}
	if got := text(byID(t, doc, "status")); !strings.Contains(got, "2,002") {
		t.Errorf("the status counts other than all 2,002 agents: %q", got)
	}
}
