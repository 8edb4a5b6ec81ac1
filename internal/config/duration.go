package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration written with its unit: 45s, 1m30s, 500ms. A bare
// number is refused, because nobody can tell seconds from milliseconds.
type Duration time.Duration

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the shortest form that parses to the same value: 5m, not 5m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText returns String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses what time.ParseDuration does, but wants a unit even on 0.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		if _, err := time.ParseDuration(s + "s"); err == nil {
			return fmt.Errorf("%s has no unit; write %q", s, s+"s")
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%s is not a duration; write for example 45s, 1m30s or 500ms", quote(s))
	}
	*d = Duration(v)
	return nil
}

func seconds(n int) Duration { return Duration(time.Duration(n) * time.Second) }
