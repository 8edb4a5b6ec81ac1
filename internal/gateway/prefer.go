package gateway

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxWait is the longest that a client may wait; who asks for more gets this.
const maxWait = 5 * time.Minute

// A preference is what a client wants by its Prefer fields (RFC 7240).
type preference struct {
	// wait is how long it waits for the result; 0 does not.
	wait time.Duration
	// stated tells that the client said so, if only to say 0.
	stated bool
}

// applied is the value of Preference-Applied.
func (p preference) applied() string {
	if !p.stated {
		return ""
	}
	return "wait=" + strconv.FormatInt(int64(p.wait/time.Second), 10)
}

// parsePrefer reads all Prefer fields of a request. Of several waits the first counts,
// and preferences that are not known are ignored, as the RFC says; a wait that is not
// a number of seconds is an error, because its sender would not get what it wants.
func parsePrefer(fields []string) (preference, error) {
	var p preference
	for _, field := range fields {
		for item := range splitQuoted(field, ',') {
			first := true
			for part := range splitQuoted(item, ';') {
				if !first { // a parameter of the preference
					break
				}
				first = false
				name, value, _ := strings.Cut(part, "=")
				if p.stated || !strings.EqualFold(strings.TrimSpace(name), "wait") {
					continue
				}
				seconds, ok := parseSeconds(unquote(strings.TrimSpace(value)))
				if !ok {
					return preference{}, refuse(kindInvalid, "header Prefer: %s: wait takes whole seconds, such as wait=10", quote(strings.TrimSpace(part)))
				}
				p = preference{wait: seconds, stated: true}
			}
		}
	}
	return p, nil
}

// parseSeconds reads a number of seconds, and no more than maxWait of them.
func parseSeconds(text string) (time.Duration, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		n = math.MaxInt64 // digits only, so it is out of range
	}
	return time.Duration(min(n, int64(maxWait/time.Second))) * time.Second, true
}

// splitQuoted yields the parts of s between separators that are not in quotes.
func splitQuoted(s string, separator byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case !quoted && c == separator:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// unquote removes the quotes of a quoted-string; what is no such string is left alone.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i < len(s)-2 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
