package bus

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestAResultIsEncodedAsTheStandardLibraryWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		r := Result{ID: text.Draw(t, "id"), Agent: text.Draw(t, "agent"), Success: rapid.Bool().Draw(t, "success")}
		if rapid.Bool().Draw(t, "has output") {
			r.Output, _ = json.Marshal(map[string]string{text.Draw(t, "key"): text.Draw(t, "value")})
		}
		if rapid.Bool().Draw(t, "has error") {
			r.Error = &ResultError{Code(text.Draw(t, "code")), text.Draw(t, "message"), rapid.Bool().Draw(t, "retryable")}
		}
		m := rapid.Custom(func(t *rapid.T) ResultMeta {
			return ResultMeta{
				rapid.Bool().Draw(t, "degraded"), text.Draw(t, "rung"), text.Draw(t, "provider"), rapid.Int().Draw(t, "retries"),
				rapid.Uint64().Draw(t, "deliveries"), rapid.Int64().Draw(t, "queued"), rapid.Int64().Draw(t, "duration"),
				text.Draw(t, "worker"), text.Draw(t, "trace"),
				Usage{rapid.Int().Draw(t, "in"), rapid.Int().Draw(t, "out")},
			}
		})
		r.Meta = m.Draw(t, "metadata")

		got, err := r.encode()
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatalf("not JSON: %v: %s", err, got)
		}
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestAnOutputThatIsNoObjectIsRefused(t *testing.T) {
	for _, output := range []string{"[]", `"x"`, "1", "{", `{"a":}`, "{} {}", "null"} {
		r := Result{Output: []byte(output)}
		if got, err := r.encode(); err == nil {
			t.Errorf("output %s: got %s, want an error", output, bytes.TrimSpace(got))
		}
	}
}
