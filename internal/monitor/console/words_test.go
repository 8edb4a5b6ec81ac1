package console

import (
	"math"
	"testing"
	"time"
)

func TestFiguresAreWrittenForPeople(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct{ what, got, want string }{
		{"count 0", count(0), "0"},
		{"count 999", count(999), "999"},
		{"count 1000", count(1000), "1,000"},
		{"count 9999999", count(9_999_999), "9,999,999"},
		{"count 12.34 million", count(12_340_000), "12.3 M"},
		{"count 12.34 milliard", count(uint64(12_340_000_000)), "12.3 G"},
		{"count the most", count(uint64(math.MaxUint64)), "18.4 E"},
		{"count below 0", count(-1), ""},
		{"size 1023", size(1023), "1023 B"},
		{"size 1536", size(1536), "1.5 KiB"},
		{"size 3 GiB", size(3 << 30), "3 GiB"},
		{"rate 0", rate(0), "0"},
		{"rate tiny", rate(0.001), "< 0.01"},
		{"rate 0.5", rate(0.5), "0.5"},
		{"rate 12.34", rate(12.34), "12.3"},
		{"rate 1234.5", rate(1234.5), "1,234"},
		{"rate unknown", rate(-1), ""},
		{"share 0", share(0), "0 %"},
		{"share tiny", share(0.0001), "< 0.1 %"},
		{"share 2.5 %", share(0.025), "2.5 %"},
		{"share nearly all", share(0.9999), "> 99.9 %"},
		{"share all", share(1), "100 %"},
		{"share unknown", share(-1), ""},
		{"span 0", span(0), "0 s"},
		{"span tiny", span(time.Millisecond), "< 0.1 s"},
		{"span 1.25 s", span(1250 * time.Millisecond), "1.2 s"},
		{"span 59.9 s", span(59900 * time.Millisecond), "59 s"},
		{"span 3 min 20 s", span(200 * time.Second), "3 min 20 s"},
		{"span 2 h", span(2 * time.Hour), "2 h"},
		{"span 26 h", span(26 * time.Hour), "1 d 2 h"},
		{"span years", span(2000 * day), "> 999 d"},
		{"span never", span(math.MaxInt64), "never"},
		{"span unknown", span(-1), ""},
		{"ago now", agoWords(0), "just now"},
		{"ago in the future", agoWords(-time.Hour), "just now"},
		{"ago 9 s", agoWords(9500 * time.Millisecond), "9 s ago"},
		{"ago 59 s", agoWords(59 * time.Second), "50 s ago"},
		{"ago 119 s", agoWords(119 * time.Second), "1 min ago"},
		{"ago 2 min", agoWords(2 * time.Minute), "2 min ago"},
		{"ago 47 h", agoWords(47 * time.Hour), "47 h ago"},
		{"ago 2 days", agoWords(2 * day), "2 days ago"},
		{"until 14 min", untilWords(-14 * time.Minute), "in 14 min"},
		{"until past", untilWords(time.Minute), "any moment"},
		{"plural 1", plural(1, "agent"), "1 agent"},
		{"plural 1200", plural(1200, "agent"), "1,200 agents"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
		}
	}
}

func TestAMomentTellsItsAgeAndItsTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	got := tell(at, at.Add(3*time.Minute), agoWords)
	want := moment{"3 min ago", "2026-03-01T11:00:00Z", "2026-03-01 11:00:00 UTC"}
	if got != want {
		t.Errorf("tell = %+v, want %+v", got, want)
	}
	if got := tell(time.Time{}, at, agoWords); got != (moment{}) {
		t.Errorf("tell of no time = %+v, want nothing", got)
	}
}

func TestCleaningCutsAndShowsWhatHides(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{
		{"plain", 5, "plain"},
		{"longer", 5, "longe…"},
		{"åäöåä", 5, "åäöåä"},
		{"åäöåäö", 5, "åäöåä…"},
		{"  two \t lines\r\n", 50, "two   lines"},
		{"a\x00b\u202Ec\u200Bd", 50, "a\uFFFDb\uFFFDc\uFFFDd"},
		{"broken \xff", 50, "broken \uFFFD"},
		{"\u00a0\u2003nbsp\u2028x", 50, "nbsp x"},
	} {
		if got := clean(c.in, c.most); got != c.want {
			t.Errorf("clean(%q, %d) = %q, want %q", c.in, c.most, got, c.want)
		}
	}
}
