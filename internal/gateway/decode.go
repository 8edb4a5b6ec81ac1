package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"genesis/pkg/bus"
)

// requestKeys are the keys of a request.
func requestKeys() [6]string {
	return [...]string{"id", "method", "prompt", "input", "timeout", "metadata"}
}

// decodeRequest reads a request strictly: what is misspelt or has the wrong type is
// an error that names it, because whoever sends it over HTTP can still be told. Names
// are compared exactly. A key whose value is null counts as absent.
func decodeRequest(body []byte) (bus.Request, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return bus.Request{}, errors.New(`the body is empty: send a JSON object with "prompt" or "input"`)
	}
	if !utf8.Valid(body) {
		return bus.Request{}, errors.New("the body is not UTF-8 text: JSON has to be")
	}
	var r bus.Request
	dec := json.NewDecoder(bytes.NewReader(body))
	switch open, err := dec.Token(); {
	case err != nil:
		return bus.Request{}, notJSON(body, err)
	case open != json.Delim('{'):
		if !json.Valid(body) {
			return bus.Request{}, notJSON(body, nil)
		}
		return bus.Request{}, fmt.Errorf("the body is %s, not an object: send {\"prompt\": \"...\"}", jsonKind(body))
	}
	keys := requestKeys()
	var seen [len(keys)]bool
	for dec.More() {
		token, err := dec.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return bus.Request{}, notJSON(body, err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return bus.Request{}, notJSON(body, err)
		}
		i := slices.Index(keys[:], key)
		switch {
		case i < 0:
			return bus.Request{}, fmt.Errorf("unknown key %s: the keys of a request are %s", quote(key), strings.Join(keys[:], ", "))
		case seen[i]:
			return bus.Request{}, fmt.Errorf("%q is there twice", key)
		}
		seen[i] = true
		if err := setField(&r, key, value); err != nil {
			return bus.Request{}, err
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return bus.Request{}, notJSON(body, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bus.Request{}, notJSON(body, err)
	}
	if r.ID == bus.AnonymousID {
		r.ID = "" // it says: name it for me
	}
	if r.ID != "" {
		if err := bus.ValidID(r.ID); err != nil {
			return bus.Request{}, fmt.Errorf(`"id": %w`, err)
		}
	}
	if err := r.Validate(); err != nil {
		if m, ok := errors.AsType[*bus.MalformedError](err); ok {
			return bus.Request{}, errors.New(m.Reason)
		}
		return bus.Request{}, err
	}
	return r, nil
}

// setField sets one key of a request.
func setField(r *bus.Request, key string, value json.RawMessage) error {
	switch key {
	case "id":
		return setString(&r.ID, key, value)
	case "method":
		return setString(&r.Method, key, value)
	case "prompt":
		return setString(&r.Prompt, key, value)
	case "input":
		return setObject(&r.Input, key, value)
	case "metadata":
		return setObject(&r.Metadata, key, value)
	case "timeout":
		return setTimeout(&r.Timeout, value)
	}
	return fmt.Errorf("unknown key %s", quote(key)) // not reached: the key is one of requestKeys
}

func setString(s *string, key string, value json.RawMessage) error {
	switch value[0] {
	case 'n':
		return nil
	case '"':
		if !bytes.ContainsRune(value, '\\') { // as nearly all of them
			*s = string(value[1 : len(value)-1])
			return nil
		}
		return json.Unmarshal(value, s)
	}
	return fmt.Errorf("%q must be a string, not %s", key, jsonKind(value))
}

func setObject(o *json.RawMessage, key string, value json.RawMessage) error {
	switch value[0] {
	case 'n':
		return nil
	case '{':
		*o = value
		return nil
	}
	return fmt.Errorf("%q must be an object, not %s", key, jsonKind(value))
}

func setTimeout(seconds *float64, value json.RawMessage) error {
	switch c := value[0]; {
	case c == 'n':
		return nil
	case c != '-' && (c < '0' || c > '9'):
		return fmt.Errorf("%q must be a number of seconds, not %s", "timeout", jsonKind(value))
	}
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsInf(n, 0) || bus.ValidTimeout(n) != nil {
		return fmt.Errorf("%q is %.40s: use seconds above 0 and up to %d, or leave it out", "timeout", value, bus.MaxTimeout)
	}
	*seconds = n
	return nil
}

// notJSON says where a body stops being JSON.
func notJSON(body []byte, err error) error {
	var whole json.RawMessage
	if deeper := json.Unmarshal(body, &whole); deeper != nil {
		err = deeper
	}
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	before := body[:min(max(syntax.Offset, 0), int64(len(body)))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("the body is not JSON: %w (line %d, column %d)", err, line, column)
}

// jsonKind says what a JSON value is.
func jsonKind(value []byte) string {
	value = bytes.TrimSpace(value)
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// quote quotes what a client sent, at most 80 characters of it.
func quote(s string) string {
	runes := 0
	for i := range s {
		if runes++; runes > 80 {
			return strconv.Quote(s[:i]) + "..."
		}
	}
	return strconv.Quote(s)
}
