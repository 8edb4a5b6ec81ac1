package health

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// How figures are written in reasons.

// count writes a number and its noun: 1 request, 2 requests.
func count[T int | uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// verb writes the verb of one thing, or its stem for several.
func verb[T int | uint64](n T, stem string) string { return either(n, stem+"s", stem) }

// either writes what is said of one thing, or of several.
func either[T int | uint64](n T, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// span writes a duration in whole seconds, a short one in milliseconds.
func span(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func whole(n uint64) string { return strconv.FormatUint(n, 10) }

// share writes a part as percent: 12.5 %.
func share(x float64) string {
	return strconv.FormatFloat(math.Round(x*1000)/10, 'f', -1, 64) + " %"
}

// rate writes requests a second, with as many digits as say something.
func rate(perSecond float64) string {
	if perSecond >= 10 {
		return strconv.FormatFloat(math.Round(perSecond), 'f', -1, 64) + "/s"
	}
	return strconv.FormatFloat(perSecond, 'g', 2, 64) + "/s"
}

// moment writes a time of day that people in different places read alike.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// listed writes up to five names, and how many there are besides.
func listed(names []string) string {
	const shown = 5
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// clip shortens a text from somewhere else.
func clip(s string) string {
	const most = 300
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
