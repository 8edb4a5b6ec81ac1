package gateway

import (
	"strings"
	"testing"
	"time"
)

func TestPrefer(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name   string
		fields []string
		want   preference
		bad    bool
	}{
		{"nothing", nil, preference{}, false},
		{"an empty field", []string{""}, preference{}, false},
		{"a wait", []string{"wait=10"}, preference{10 * second, true}, false},
		{"in quotes", []string{`wait="10"`}, preference{10 * second, true}, false},
		{"with escapes in quotes", []string{`wait="\1\0"`}, preference{10 * second, true}, false},
		{"with white space", []string{" wait = 10 "}, preference{10 * second, true}, false},
		{"in capitals", []string{"WAIT=10"}, preference{10 * second, true}, false},
		{"among others", []string{"respond-async, wait=10, handling=lenient"}, preference{10 * second, true}, false},
		{"in another field", []string{"respond-async", "wait=10"}, preference{10 * second, true}, false},
		{"with parameters", []string{"wait=10; foo=bar; wait=20"}, preference{10 * second, true}, false},
		{"the first of two", []string{"wait=10, wait=20"}, preference{10 * second, true}, false},
		{"the first of two fields", []string{"wait=10", "wait=abc"}, preference{10 * second, true}, false},
		{"not within another's quotes", []string{`note="x, wait=5", wait=10`}, preference{10 * second, true}, false},
		{"not within another's escaped quotes", []string{`note="\", wait=5", wait=10`}, preference{10 * second, true}, false},
		{"not a parameter of another", []string{"foo; wait=abc"}, preference{}, false},
		{"0", []string{"wait=0"}, preference{0, true}, false},
		{"too long", []string{"wait=301"}, preference{maxWait, true}, false},
		{"far too long", []string{"wait=99999999999999999999999"}, preference{maxWait, true}, false},
		{"a word", []string{"wait=abc"}, preference{}, true},
		{"no value", []string{"wait"}, preference{}, true},
		{"an empty value", []string{"wait="}, preference{}, true},
		{"an empty value in quotes", []string{`wait=""`}, preference{}, true},
		{"below 0", []string{"wait=-1"}, preference{}, true},
		{"a sign", []string{"wait=+1"}, preference{}, true},
		{"a fraction", []string{"wait=1.5"}, preference{}, true},
		{"a unit", []string{"wait=10s"}, preference{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePrefer(tt.fields)
			if got != tt.want || (err != nil) != tt.bad {
				t.Errorf("%q: got %+v %v, want %+v, an error: %v", tt.fields, got, err, tt.want, tt.bad)
			}
		})
	}
}

func FuzzPrefer(f *testing.F) {
	for _, seed := range []string{"wait=10", `a="\", wait=1", wait="2"; x`, `"`, `\`, "wait", ",;=", strings.Repeat(",", 50)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		p, err := parsePrefer([]string{field})
		if p.wait < 0 || p.wait > maxWait || p.wait != 0 && !p.stated || err != nil && p.stated {
			t.Errorf("%q: got %+v %v", field, p, err)
		}
	})
}

func TestTraceContext(t *testing.T) {
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for text, want := range map[string]string{
		good: good, " " + good: good, good + "-later": good + "-later",
		"": "", "nonsense": "", "ff" + good[2:]: "", strings.ToUpper(good): "",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": "",
		good + strings.Repeat("-x", 20):                           "",
	} {
		if got := traceContext(text); got != want {
			t.Errorf("traceContext(%q): got %q, want %q", text, got, want)
		}
	}
}
