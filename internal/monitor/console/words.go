package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The words and figures of the page. A function of this file returns "" for what is not
// known; the template "figure" says so in its place.

// compact is from where on a count is written in millions.
const compact = 10_000_000

// count writes a count for people: 1,234 and 12.3 M.
func count[N int | uint64](n N) string {
	if n < 0 {
		return ""
	}
	if n >= compact {
		return scaled(float64(n)/1e6, " M", " G", " T", " P", " E")
	}
	digits := strconv.FormatUint(uint64(n), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// size writes bytes for people, in binary units.
func size(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	kib := float64(n) / 1024
	for _, unit := range []string{" KiB", " MiB", " GiB", " TiB"} {
		if kib < 1024 {
			return short(kib) + unit
		}
		kib /= 1024
	}
	return short(kib) + " PiB"
}

// scaled writes a figure in the first unit in which it has less than four digits.
func scaled(f float64, units ...string) string {
	last := len(units) - 1
	for i := range last {
		if f < 1000 {
			return short(f) + units[i]
		}
		f /= 1000
	}
	return short(f) + units[last]
}

// short writes three digits at least: 0.25, 12.3, 456.
func short(f float64) string {
	switch {
	case f >= 100 || f == math.Trunc(f):
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	default:
		return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
	}
}

// rate writes a rate a second.
func rate(f float64) string {
	switch {
	case f < 0 || math.IsNaN(f) || math.IsInf(f, 0):
		return ""
	case f > 0 && f < 0.01:
		return "< 0.01"
	case f >= 1000:
		return count(uint64(min(f, math.MaxInt64)))
	default:
		return short(f)
	}
}

// share writes a share of 1 as a percentage.
func share(f float64) string {
	switch {
	case f < 0 || math.IsNaN(f) || math.IsInf(f, 0):
		return ""
	case f > 0 && f < 0.001:
		return "< 0.1 %"
	case f < 1 && f > 0.999:
		return "> 99.9 %" // not all
	default:
		return strings.TrimSuffix(strconv.FormatFloat(100*f, 'f', 1, 64), ".0") + " %"
	}
}

// span writes a duration by its two greatest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return ""
	case d == math.MaxInt64:
		return "never"
	case d >= 1000*day:
		return "> 999 d"
	case d >= day:
		return units(d, day, "d", time.Hour, "h")
	case d >= time.Hour:
		return units(d, time.Hour, "h", time.Minute, "min")
	case d >= time.Minute:
		return units(d, time.Minute, "min", time.Second, "s")
	case d >= 10*time.Second || d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 100*time.Millisecond:
		return "< 0.1 s"
	default:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	}
}

func units(d, great time.Duration, greatName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/great, greatName)
	if rest := d % great / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// coarse writes an age by its greatest unit, and seconds by tens, so that it rarely
// changes while one reads.
func coarse(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= 10*time.Second:
		return fmt.Sprintf("%d s", d.Truncate(10*time.Second)/time.Second)
	default:
		return fmt.Sprintf("%d s", max(d, 0)/time.Second)
	}
}

// plural writes a count and what is counted.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

// A moment is a time as the page tells it: how long ago, and, on asking, exactly when.
type moment struct {
	Words, ISO, Exact string
}

// tell makes the moment of a time. The zero time has no words.
func tell(t, now time.Time, words func(age time.Duration) string) moment {
	if t.IsZero() {
		return moment{}
	}
	utc := t.UTC()
	return moment{
		Words: words(now.Sub(t)),
		ISO:   utc.Format(time.RFC3339),
		Exact: utc.Format("2006-01-02 15:04:05 UTC"),
	}
}

func agoWords(age time.Duration) string {
	if age < time.Second {
		return "just now" // also what another machine's clock puts into the future
	}
	return coarse(age) + " ago"
}

func untilWords(age time.Duration) string {
	if age >= 0 {
		return "any moment"
	}
	return "in " + coarse(-age)
}
