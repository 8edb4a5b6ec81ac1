package gateway

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"genesis/pkg/bus"
)

// FuzzBody feeds bodies to the decoder. What it accepts, the bus accepts, and as the
// same request; what it refuses, it refuses with a reason that can be printed.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		hi, `{}`, `[]`, `null`, `"x"`, `1`, ``, ` `, `{`, `{"prompt":"hi"`, `{"prompt":"hi"}x`, "{\"prompt\":\"\xff\"}",
		`{"id":"a","method":"m","prompt":"p","input":{"a":[1,{"b":null}]},"timeout":1.5,"metadata":{"k":"v"}}`,
		`{"prompt":"hi","timeout":1e999}`, `{"prompt":"hi","timeout":-0}`, `{"prompt":"hi","timeout":1E-400}`, `{"prompt":"hi","prompt":"ho"}`,
		`{"Prompt":"hi"}`, `{"prompt":"\ud800"}`, `{"prompt":"\u2028<>"}`, `{"input":{"x":1e999}}`, `{"id":"-","prompt":"hi"}`, `{"input":[]}`,
		strings.Repeat(`{"input":`, 50) + `{}` + strings.Repeat(`}`, 50),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeRequest(body)
		if err != nil {
			if text := badRequest(err).Error(); text == "" || !utf8.ValidString(text) || len(text) > 1000 {
				t.Errorf("%q: the reason is %q", body, text)
			}
			return
		}
		if !json.Valid(body) {
			t.Errorf("%q: accepted, and is not JSON", body)
		}
		if r.ID != "" && bus.ValidID(r.ID) != nil {
			t.Errorf("%q: accepted with the id %q", body, r.ID)
		}
		direct, err := bus.DecodeRequest(body)
		if err != nil {
			t.Fatalf("%q: accepted, and the bus says %v", body, err)
		}
		if direct.Digest() != r.Digest() {
			t.Errorf("%q: the bus reads another request: got %+v, want %+v", body, r, direct)
		}
		payload, err := r.Encode()
		if err != nil {
			t.Fatalf("%q: encode: %v", body, err)
		}
		back, err := bus.DecodeRequest(payload)
		if err != nil || back.Digest() != r.Digest() {
			t.Errorf("%q: published as %s: got %+v %v, want %+v", body, payload, back, err, r)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for name, body := range map[string]string{
		"small": hi,
		"4KiB":  `{"prompt":"` + strings.Repeat("x", 4000) + `","input":{"a":1,"b":[1,2,3]},"timeout":30}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeRequest([]byte(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
