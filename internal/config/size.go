package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with a binary unit (512KiB, 1MiB, 2GiB) or
// as a plain number.
type Size int64

// The units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

// String returns the size in the largest unit that divides it.
func (s Size) String() string {
	switch {
	case s == 0:
		return "0B"
	case s%GiB == 0:
		return strconv.FormatInt(int64(s/GiB), 10) + "GiB"
	case s%MiB == 0:
		return strconv.FormatInt(int64(s/MiB), 10) + "MiB"
	case s%KiB == 0:
		return strconv.FormatInt(int64(s/KiB), 10) + "KiB"
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText returns String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText parses a whole number followed by B, KiB, MiB, GiB or nothing.
// Decimal units are refused: whoever writes MB nearly always means MiB.
func (s *Size) UnmarshalText(text []byte) error {
	str := string(text)
	digits := strings.TrimRightFunc(str, func(c rune) bool { return c < '0' || c > '9' })
	unit := strings.TrimSpace(str[len(digits):])
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a size; write for example 1MiB, 512KiB or 1048576", quote(str))
	}
	scale := Size(1)
	switch unit {
	case "", "B":
	case "KiB":
		scale = KiB
	case "MiB":
		scale = MiB
	case "GiB":
		scale = GiB
	default:
		return unitError(digits, unit)
	}
	if n > math.MaxInt64/int64(scale) || n < math.MinInt64/int64(scale) {
		return fmt.Errorf("%s is too large", quote(str))
	}
	*s = Size(n) * scale
	return nil
}

// unitError suggests the binary unit for k, KB, kib, M, MB, mb and so on.
func unitError(digits, unit string) error {
	for _, known := range []string{"KiB", "MiB", "GiB"} {
		letter := strings.ToLower(known[:1])
		switch strings.ToLower(unit) {
		case letter, letter + "b", letter + "ib":
			return fmt.Errorf("unknown unit %s; did you mean %q?", quote(unit), digits+known)
		}
	}
	return fmt.Errorf("unknown unit %s; use KiB, MiB or GiB", quote(unit))
}
