package console

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a text is shown, in runes. The whole of it is where it came from.
const (
	maxName = 80
	maxText = 400
)

// clean makes a text from anywhere fit to be looked at: it is cut, and what would not be
// seen or would change the look of its neighbours (controls, marks of direction, zero
// widths, broken UTF-8) becomes a space or a replacement character. Escaping is left to
// html/template.
func clean(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == most {
			return strings.TrimSpace(b.String()) + "…"
		}
		b.WriteRune(seen(r))
		n++
	}
	return strings.TrimSpace(b.String())
}

func seen(r rune) rune {
	switch {
	case unicode.In(r, unicode.Zl, unicode.Zp, unicode.Zs), r == '\t', r == '\n', r == '\r':
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Cs):
		return utf8.RuneError
	default:
		return r
	}
}

// name cleans what must not be empty to be pointed at.
func name(s string) string {
	if s = clean(s, maxName); s == "" {
		return "(no name)"
	}
	return s
}

func names(list []string) []string {
	cleaned := make([]string, min(len(list), maxListed))
	for i := range cleaned {
		cleaned[i] = name(list[i])
	}
	return cleaned
}
