package bus

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestAPayloadThatBreaksTheContractIsMalformedForAReason(t *testing.T) {
	for _, tt := range []struct{ name, payload, reason string }{
		{"nothing", ``, "not JSON"},
		{"white space", " \t\r\n", "not JSON"},
		{"words", `hello`, "not JSON"},
		{"cut off", `{"prompt":"hi"`, "not JSON"},
		{"two objects", `{"prompt":"a"}{"prompt":"b"}`, "not JSON"},
		{"single quotes", `{'prompt':'a'}`, "not JSON"},
		{"trailing comma", `{"prompt":"a",}`, "not JSON"},
		{"a control character", "{\"prompt\":\"a\nb\"}", "not JSON"},
		{"invalid UTF-8", "{\"prompt\":\"a\xff\"}", "not UTF-8"},
		{"invalid UTF-8 in the input", "{\"input\":{\"a\":\"\xc3\x28\"}}", "not UTF-8"},
		{"an array", `[{"prompt":"a"}]`, "array, not an object"},
		{"a string", `"prompt"`, "string, not an object"},
		{"a number", `42`, "number, not an object"},
		{"a boolean", ` true`, "bool, not an object"},
		{"null", ` null `, "not a JSON object"},
		{"an empty object", `{}`, `neither "prompt" nor "input"`},
		{"only unknown keys", `{"text":"a"}`, `neither "prompt" nor "input"`},
		{"an empty prompt", `{"prompt":""}`, `neither "prompt" nor "input"`},
		{"null everywhere", `{"prompt":null,"input":null}`, `neither "prompt" nor "input"`},
		{"id a number", `{"prompt":"a","id":5}`, `"id" must be a string, not a number`},
		{"method an object", `{"prompt":"a","method":{}}`, `"method" must be a string, not an object`},
		{"prompt an array", `{"prompt":["a"]}`, `"prompt" must be a string, not an array`},
		{"input a string", `{"input":"a"}`, `"input" must be a JSON object`},
		{"input an array", `{"input":[1]}`, `"input" must be a JSON object`},
		{"input a number", `{"input":0}`, `"input" must be a JSON object`},
		{"metadata a string", `{"prompt":"a","metadata":"x"}`, `"metadata" must be a JSON object`},
		{"metadata false", `{"prompt":"a","metadata":false}`, `"metadata" must be a JSON object`},
		{"timeout a string", `{"prompt":"a","timeout":"5s"}`, `"timeout" must be a number, not a string`},
		{"timeout zero", `{"prompt":"a","timeout":0}`, `"timeout" is 0`},
		{"timeout negative", `{"prompt":"a","timeout":-1}`, `"timeout" is -1`},
		{"timeout minus zero", `{"prompt":"a","timeout":-0.0}`, `"timeout" is -0`},
		{"timeout above a day", `{"prompt":"a","timeout":86401}`, `"timeout" is 86401`},
		{"timeout beyond numbers", `{"prompt":"a","timeout":1e999}`, `"timeout" is 1e999, out of range`},
		{"a long method", `{"prompt":"a","method":"` + strings.Repeat("m", 65) + `"}`, `"method" is longer than 64`},
		{"deep nesting", `{"input":{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}`, "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := DecodeRequest([]byte(tt.payload))
			var m *MalformedError
			if !errors.As(err, &m) || !errors.Is(err, ErrInvalid) {
				t.Fatalf("DecodeRequest(%.80q): got %+v, %v, want malformed", tt.payload, r, err)
			}
			if !strings.Contains(m.Reason, tt.reason) {
				t.Errorf("DecodeRequest(%.80q): got reason %q, want it to contain %q", tt.payload, m.Reason, tt.reason)
			}
		})
	}
}

func TestAPayloadOfTheContractIsRead(t *testing.T) {
	for payload, want := range map[string]Request{
		`{"prompt":"hi"}`:                                    {Prompt: "hi"},
		" \n{ \"prompt\" : \"hi\" }\n ":                      {Prompt: "hi"},
		`{"input":{"a":1}}`:                                  {Input: []byte(`{"a":1}`)},
		`{"input":{}}`:                                       {Input: []byte(`{}`)},
		`{"prompt":"hi","id":null,"metadata":null}`:          {Prompt: "hi"},
		`{"prompt":"hi","timeout":null,"method":null}`:       {Prompt: "hi"},
		`{"id":"x","method":"m","prompt":"p","timeout":0.5}`: {ID: "x", Method: "m", Prompt: "p", Timeout: 0.5},
		`{"prompt":"hi","metadata":{"k":"v"}}`:               {Prompt: "hi", Metadata: []byte(`{"k":"v"}`)},
		`{"prompt":"hi","timeout":86400}`:                    {Prompt: "hi", Timeout: 86400},
		`{"prompt":"hi","later":{"key":[1,2]},"also":true}`:  {Prompt: "hi"},
		`{"prompt":"\u0000<&>\u2028é\ud83d\ude00"}`:          {Prompt: "\x00<&>\u2028é😀"},
		`{"input":` + strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat(`}`, 1000) + `}`: {Input: []byte(strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat(`}`, 1000))},
	} {
		got, err := DecodeRequest([]byte(payload))
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("DecodeRequest(%.80s): got %+v, %v, want %+v", payload, got, err, want)
		}
	}
}

func TestATimeoutIsSecondsAboveZeroUpToADay(t *testing.T) {
	for seconds, ok := range map[float64]bool{
		0.001: true, 1: true, 86400: true,
		0: false, -1: false, 86400.1: false, 1e9: false, math.Inf(1): false, math.Inf(-1): false,
	} {
		if err := ValidTimeout(seconds); (err == nil) != ok {
			t.Errorf("ValidTimeout(%v): got %v, want ok=%v", seconds, err, ok)
		}
	}
	if err := ValidTimeout(math.NaN()); err == nil {
		t.Error("ValidTimeout(NaN): got no error")
	}
	r := Request{Prompt: "a", Timeout: math.NaN()}
	if err := r.Validate(); err == nil {
		t.Error("Validate with timeout NaN: got no error")
	}
}

func TestADigestDependsOnTheContentAlone(t *testing.T) {
	digest := func(payload string) string {
		r, err := DecodeRequest([]byte(payload))
		if err != nil {
			t.Fatalf("decode %s: %v", payload, err)
		}
		return r.Digest()
	}
	base := `{"prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":5}`
	for _, same := range []string{
		`{"id":"other","prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":5}`,
		"\n{ \"timeout\": 5.0, \"metadata\" :{ \"m\" : \"x\"} ,\t\"input\": {\"a\" : 1 , \"b\": [ 1 , 2 ]}, \"prompt\":\"p\"}",
		`{"method":"execute","prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":5}`,
		`{"prompt":"\u0070","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":5,"unknown":1}`,
	} {
		if digest(same) != digest(base) {
			t.Errorf("the digests of %s and %s differ", same, base)
		}
	}
	seen := map[string]string{digest(base): base}
	for _, other := range []string{
		`{"prompt":"q","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":5}`,
		`{"prompt":"p","input":{"a":2,"b":[1,2]},"metadata":{"m":"x"},"timeout":5}`,
		`{"prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":"y"},"timeout":5}`,
		`{"prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":6}`,
		`{"prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"}}`,
		`{"prompt":"p","input":{"a":1,"b":[1,2]},"timeout":5}`,
		`{"prompt":"p","metadata":{"a":1,"b":[1,2]},"timeout":5}`,
		`{"prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":" x"},"timeout":5}`,
		`{"method":"other","prompt":"p","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":5}`,
		`{"method":"executep","input":{"a":1,"b":[1,2]},"metadata":{"m":"x"},"timeout":5}`,
	} {
		d := digest(other)
		if before, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", before, other)
		}
		seen[d] = other
	}
}

// FuzzDecodeRequest: decoding never panics, its errors are malformed, and what it reads
// survives being written and read again.
func FuzzDecodeRequest(f *testing.F) {
	for _, s := range []string{
		`{"prompt":"hi"}`, `{"input":{"a":[1,2.50,1e3,null]},"timeout":0.25}`, `[]`, `null`, `{"prompt":"\u2028<&>"}`,
		`{"id":"x","method":"m","prompt":"p","metadata":{"a":" b "}}`, "{\"prompt\":\"\xff\"}", `{"timeout":1e999}`,
		`{"PROMPT":"x"}`, `{"prompt":"a","prompt":"b"}`, `{"prompt":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := DecodeRequest(payload)
		if err != nil {
			if m := (*MalformedError)(nil); !errors.As(err, &m) || m.Reason == "" {
				t.Fatalf("decode %q: got %v, want malformed with a reason", payload, err)
			}
			return
		}
		encoded, err := r.Encode()
		if err != nil {
			t.Fatalf("encode %+v: %v", r, err)
		}
		again, err := DecodeRequest(encoded)
		if err != nil {
			t.Fatalf("decode %q again as %q: %v", payload, encoded, err)
		}
		if again.Digest() != r.Digest() || again.ID != r.ID {
			t.Fatalf("decode %q: got %+v, then %+v", payload, r, again)
		}
	})
}
