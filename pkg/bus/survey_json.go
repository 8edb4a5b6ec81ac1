package bus

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// jsonText is what is left of a JSON text that is read from its beginning. A survey
// reads a few fields of half a megabyte of them: encoding/json looks at each byte twice,
// and takes a quarter of a survey's time for it. Only what the broker writes is
// understood. Anything else makes it bad, and then encoding/json has to read it.
type jsonText struct {
	left []byte
	bad  bool
}

// fields calls f with each key of an object; f reads or skips the value.
func (t *jsonText) fields(f func(key []byte)) {
	t.each('{', '}', func() {
		key := t.quoted()
		t.expect(':')
		f(key)
	})
}

// items calls f for each item of an array; f reads or skips it.
func (t *jsonText) items(f func()) { t.each('[', ']', f) }

func (t *jsonText) each(begin, end byte, f func()) {
	if t.null() {
		return
	}
	t.expect(begin)
	if t.next() == end {
		t.left = t.left[1:]
		return
	}
	for !t.bad {
		f()
		switch t.next() {
		case ',':
			t.left = t.left[1:]
		case end:
			t.left = t.left[1:]
			return
		default:
			t.fail()
		}
	}
}

// next is the byte that comes next; 0 at the end.
func (t *jsonText) next() byte {
	for len(t.left) > 0 && (t.left[0] == ' ' || t.left[0] == '\n' || t.left[0] == '\t' || t.left[0] == '\r') {
		t.left = t.left[1:]
	}
	if len(t.left) == 0 {
		return 0
	}
	return t.left[0]
}

func (t *jsonText) expect(b byte) {
	if t.next() != b {
		t.fail()
		return
	}
	t.left = t.left[1:]
}

func (t *jsonText) fail() { t.bad, t.left = true, nil }

func (t *jsonText) null() bool { return t.next() == 'n' && string(t.word()) == "null" }

// quoted is a string without escapes.
func (t *jsonText) quoted() []byte {
	t.expect('"')
	i := bytes.IndexByte(t.left, '"')
	if i < 0 || bytes.IndexByte(t.left[:i], '\\') >= 0 {
		t.fail()
		return nil
	}
	s := t.left[:i]
	t.left = t.left[i+1:]
	return s
}

func (t *jsonText) text() string {
	if t.null() {
		return ""
	}
	return string(t.quoted())
}

// word is a number, true, false or null.
func (t *jsonText) word() []byte {
	t.next()
	for i, c := range t.left {
		if c == ',' || c == '}' || c == ']' || c <= ' ' {
			w := t.left[:i]
			t.left = t.left[i:]
			if i == 0 {
				t.fail()
			}
			return w
		}
	}
	t.fail()
	return nil
}

func (t *jsonText) count() uint64 {
	if t.null() {
		return 0
	}
	n, err := strconv.ParseUint(string(t.word()), 10, 64)
	if err != nil {
		t.fail()
	}
	return n
}

func (t *jsonText) number() int64 {
	if t.null() {
		return 0
	}
	n, err := strconv.ParseInt(string(t.word()), 10, 64)
	if err != nil {
		t.fail()
	}
	return n
}

func (t *jsonText) truth() bool {
	switch string(t.word()) {
	case "true":
		return true
	case "false", "null":
	default:
		t.fail()
	}
	return false
}

func (t *jsonText) time() time.Time {
	if t.null() {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, string(t.quoted()))
	if err != nil {
		t.fail()
	}
	return at
}

// skip passes by a value.
func (t *jsonText) skip() {
	if c := t.next(); c != '{' && c != '[' && c != '"' {
		t.word()
		return
	}
	depth := 0
	for i := 0; i < len(t.left); i++ {
		switch t.left[i] {
		case '"':
			if i = closing(t.left, i); i < 0 {
				t.fail()
				return
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 {
			t.left = t.left[i+1:]
			return
		}
	}
	t.fail()
}

// closing is where the string that begins at i ends; -1: nowhere.
func closing(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// decode lets encoding/json read a value.
func (t *jsonText) decode(v any) {
	whole := t.left
	t.skip()
	if t.bad || json.Unmarshal(whole[:len(whole)-len(t.left)], v) != nil {
		t.fail()
	}
}
