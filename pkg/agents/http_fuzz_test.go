package agents

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzDecodeAnswer(f *testing.F) {
	f.Add("application/json", []byte(`{"a":1}`))
	f.Add("application/problem+json; charset", []byte(`"text"`))
	f.Add("text/plain; charset=utf-8", []byte("\ufeffhi\xff"))
	f.Add("", []byte("[1]"))
	f.Add("image/png", []byte("\x89PNG"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		output, err := decodeAnswer(contentType, body)
		if err != nil {
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(output, &object) != nil || object == nil || !utf8.Valid(output) {
			t.Errorf("got %q, want a JSON object in UTF-8, input %q %q", output, contentType, body)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"30", " 30 ", "+30", "-1", "1e3", "99999999999999999999", "Mon, 02 Jan 2006 15:04:05 GMT", ""} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait, asked := retryAfter(value)
		if wait < 0 || wait > maxRetryAfter || asked != (wait > 0) {
			t.Errorf("got %v %v, want it within 0 and an hour, input %q", wait, asked, value)
		}
	})
}
