package ctl

import (
	"strings"
	"testing"
	"time"
)

func TestAgesAreShort(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "", -time.Second: "", 1500 * time.Microsecond: "2ms", 340 * time.Millisecond: "340ms",
		12300 * time.Millisecond: "12s", 200 * time.Second: "3m20s", 5*time.Hour + 20*time.Second: "5h0m", 47 * time.Hour: "47h0m", 100 * time.Hour: "4d",
	} {
		if got := age(in); got != want {
			t.Errorf("age of %s: got %q, want %q", in, got, want)
		}
	}
}

func TestATableCannotBeBrokenByWhatOthersWrote(t *testing.T) {
	var out strings.Builder
	err := printTable(&out, []string{"two\nlines\tand a tab", "\x1b[31mred\u009b", "not \xff UTF-8", ""}, []column[string]{
		{"TEXT", func(s string) string { return s }}, {"N", func(string) string { return "1" }},
	})
	want := "TEXT                 N\n" +
		"two lines and a tab  1\n" +
		"[31mred              1\n" +
		"not ? UTF-8          1\n" +
		"-                    1\n"
	if err != nil || out.String() != want {
		t.Errorf("got %v\n%swant\n%s", err, out.String(), want)
	}
}

func TestMissingSequencesAreNamed(t *testing.T) {
	if got, want := sequencesText([]uint64{3, 7}, 2), "sequence 3, 7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := sequencesText([]uint64{3, 7}, 12), "sequence 3, 7 and 10 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRatesAndAges(t *testing.T) {
	for in, want := range map[string]string{"50": "50/s", "50/s": "50/s", "600/m": "10/s", "3600/h": "1/s"} {
		var r rateFlag
		if err := r.Set(in); err != nil || r.String() != want {
			t.Errorf("rate %q: got %s, %v; want %s", in, r.String(), err, want)
		}
	}
	for _, in := range []string{"", "0", "-1/s", "5/d", "NaN", "1e12", "x/s", "5/s/s"} {
		var r rateFlag
		if err := r.Set(in); err == nil {
			t.Errorf("rate %q: got %s, want an error", in, r.String())
		}
	}
	for in, want := range map[string]string{"90m": "1h30m0s", "7d": "168h0m0s", "0.5d": "12h0m0s", "1e30d": "876000h0m0s"} {
		var a ageFlag
		if err := a.Set(in); err != nil || a.String() != want {
			t.Errorf("age %q: got %s, %v; want %s", in, a.String(), err, want)
		}
	}
	for _, in := range []string{"", "0s", "-1h", "d", "NaNd", "7days"} {
		var a ageFlag
		if err := a.Set(in); err == nil {
			t.Errorf("age %q: got %s, want an error", in, a.String())
		}
	}
}
