package health

import (
	"strings"
	"testing"
	"time"
)

func TestFiguresAreForPeople(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{count(0, "request"), "0 requests"},
		{count(1, "request"), "1 request"},
		{span(1400 * time.Microsecond), "1ms"},
		{span(130*time.Second + 400*time.Millisecond), "2m10s"},
		{share(0.1), "10 %"},
		{share(1.0 / 3), "33.3 %"},
		{rate(0.0512), "0.051/s"},
		{rate(12.5), "13/s"},
		{listed([]string{"a", "b"}), "a, b"},
		{listed([]string{"a", "b", "c", "d", "e", "f", "g"}), "a, b, c, d, e and 2 more"},
		{clip("short \xff"), "short ?"},
		{clip(strings.Repeat("ä", 200)), strings.Repeat("ä", 150) + "..."},
		{moment(time.Date(2026, 1, 2, 4, 5, 6, 7, time.FixedZone("", 3600))), "2026-01-02 03:05:06 UTC"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
