package gateway

import (
	"net/http"
	"strings"
	"testing"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestBadInputIsRefusedInWords(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured(func(c *config.Config) { c.Gateway.MaxBody = 2 * config.KiB }))
	typed := func(fields ...string) call { return call{http.MethodPost, requests, hi, fields} }
	for _, tt := range []struct {
		name   string
		call   call
		status int
		want   string
	}{
		{"broken JSON", post(requests, "{\"prompt\":\n \"hi\" x}"), 400, "line 2, column 7"},
		{"no body", post(requests, ""), 400, "the body is empty"},
		{"white space", post(requests, " \n "), 400, "the body is empty"},
		{"an array", post(requests, `["hi"]`), 400, "the body is an array, not an object"},
		{"a string", post(requests, `"hi"`), 400, "the body is a string"},
		{"null", post(requests, `null`), 400, "the body is null"},
		{"two objects", post(requests, hi+hi), 400, "after top-level value"},
		{"not UTF-8", post(requests, "{\"prompt\":\"\xff\"}"), 400, "UTF-8"},
		{"an unknown key", post(requests, `{"prompt":"hi","promt":"x"}`), 400, `unknown key "promt"`},
		{"a key in other letters", post(requests, `{"Prompt":"hi"}`), 400, `unknown key "Prompt"`},
		{"a key twice", post(requests, `{"prompt":"hi","prompt":"ho"}`), 400, `"prompt" is there twice`},
		{"neither prompt nor input", post(requests, `{}`), 400, `neither "prompt" nor "input"`},
		{"an empty prompt", post(requests, `{"prompt":""}`), 400, `neither "prompt" nor "input"`},
		{"a prompt that is a number", post(requests, `{"prompt":1}`), 400, `"prompt" must be a string, not a number`},
		{"a prompt that is an object", post(requests, `{"prompt":{}}`), 400, `"prompt" must be a string, not an object`},
		{"an input that is a string", post(requests, `{"input":"hi"}`), 400, `"input" must be an object, not a string`},
		{"an input that is an array", post(requests, `{"input":[]}`), 400, `"input" must be an object, not an array`},
		{"metadata that is a boolean", post(requests, `{"prompt":"hi","metadata":true}`), 400, `"metadata" must be an object, not a boolean`},
		{"a method that is an array", post(requests, `{"prompt":"hi","method":[]}`), 400, `"method" must be a string`},
		{"a long method", post(requests, `{"prompt":"hi","method":"`+strings.Repeat("m", 65)+`"}`), 400, `"method" is longer than 64`},
		{"a timeout of 0", post(requests, `{"prompt":"hi","timeout":0}`), 400, `"timeout" is 0: use seconds above 0`},
		{"a timeout of -1", post(requests, `{"prompt":"hi","timeout":-1}`), 400, `"timeout" is -1: use seconds above 0`},
		{"a timeout of 1e9", post(requests, `{"prompt":"hi","timeout":1e9}`), 400, `"timeout" is 1e9: use seconds above 0 and up to 86400`},
		{"a timeout of 1e999", post(requests, `{"prompt":"hi","timeout":1e999}`), 400, `"timeout" is 1e999`},
		{"a timeout of NaN", post(requests, `{"prompt":"hi","timeout":NaN}`), 400, `not JSON`},
		{"a timeout in a string", post(requests, `{"prompt":"hi","timeout":"45"}`), 400, `"timeout" must be a number of seconds, not a string`},
		{"a bad id in the body", post(requests, `{"prompt":"hi","id":"a b"}`), 400, `"a b": use 1 to 64 letters`},
		{"an id that is a number", post(requests, `{"prompt":"hi","id":7}`), 400, `"id" must be a string`},
		{"two ids", post(requests, `{"prompt":"hi","id":"a"}`, "Idempotency-Key: b"), 400, "send one of them"},
		{"a bad key", post(requests, hi, "Idempotency-Key: a/b"), 400, "header Idempotency-Key"},
		{"an empty key", post(requests, hi, "Idempotency-Key: "), 400, "header Idempotency-Key"},
		{"a key that is a dash", post(requests, hi, "Idempotency-Key: -"), 400, "header Idempotency-Key"},
		{"a long key", post(requests, hi, "Idempotency-Key: "+strings.Repeat("k", 65)), 400, "header Idempotency-Key"},
		{"two keys", post(requests, hi, "Idempotency-Key: a", "Idempotency-Key: b"), 400, "2 times"},
		{"a lane that is none", post(requests+"?lane=bulk", hi), 400, `unknown lane "bulk"`},
		{"a wait that is none", post(requests, hi, "Prefer: wait=abc"), 400, "wait=abc"},
		{"a wait below 0", post(requests, hi, "Prefer: wait=-1"), 400, "whole seconds"},
		{"a wait of half a second", post(requests, hi, "Prefer: wait=0.5"), 400, "whole seconds"},
		{"a wait for nothing", post(requests, hi, "Prefer: wait"), 400, "whole seconds"},
		{"a wait that is none, of a GET", get(requests+"/x", "Prefer: wait=abc"), 400, "wait=abc"},
		{"a deadline that is none", post(requests, hi, "Genesis-Deadline: tomorrow"), 400, "RFC 3339"},
		{"a bad agent name", post("/v1/agents/Echo/requests", hi), 400, "agent name"},
		{"an agent name with an escape", post("/v1/agents/a%2fb/requests", hi), 400, "agent name"},
		{"a bad agent name, of a GET", get("/v1/agents/a.b/requests/x"), 400, "agent name"},
		{"a bad id, of a GET", get(requests + "/a.b"), 400, "request id"},
		{"a wildcard, of a GET", get(requests + "/%3E"), 400, "request id"},
		{"a bad id, of a DELETE", remove(requests + "/*"), 400, "request id"},
		{"an unknown agent", post("/v1/agents/eco/requests", hi), 404, `there is no agent "eco"; did you mean "echo"?`},
		{"no content type", typed(), 415, "no Content-Type"},
		{"a form", typed("Content-Type: application/x-www-form-urlencoded"), 415, "application/json"},
		{"another charset", typed("Content-Type: application/json; charset=latin1"), 415, "latin1"},
		{"a broken content type", typed("Content-Type: application/json;;="), 415, "application/json"},
		{"a compressed body", post(requests, hi, "Content-Encoding: gzip"), 415, "gzip"},
		{"a body that is too large", post(requests, `{"prompt":"`+strings.Repeat("x", 3000)+`"}`), 413, "2KiB"},
		{"an unknown path", get("/v2/agents"), 404, "/openapi.json"},
		{"the root", get("/"), 404, "/openapi.json"},
		{"a path too far", get(requests + "/a/b"), 404, "/openapi.json"},
		{"a method that does not go", call{http.MethodPut, requests + "/a", "", nil}, 405, "use GET or HEAD or DELETE"},
		{"a GET where only POST goes", get(requests), 405, "use POST"},
		{"a DELETE of the health", remove("/health/live"), 405, "use GET or HEAD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := g.do(t, tt.call)
			r.problem(t, tt.status, tt.want)
			if tt.status == http.StatusMethodNotAllowed && r.header.Get("Allow") == "" {
				t.Error("a 405 without Allow")
			}
		})
	}
	stream, err := g.bus.JetStream().Stream(t.Context(), bus.RequestStream("echo"))
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.LastSeq; n != 0 {
		t.Errorf("the bad requests left %d messages, want none", n)
	}
}

func TestWhatIsUnusualButAllowedIsAccepted(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	for _, tt := range []struct {
		name string
		call call
	}{
		{"nulls are absent", post(requests, `{"prompt":"hi","input":null,"timeout":null,"id":null,"method":null,"metadata":null}`)},
		{"an input alone", post(requests, `{"input":{}}`)},
		{"an id that says: name it for me", post(requests, `{"prompt":"hi","id":"-"}`)},
		{"the same id twice", post(requests, `{"prompt":"hi","id":"same"}`, "Idempotency-Key: same")},
		{"a wait of more than there is", post(requests, hi, "Prefer: wait=0")},
		{"a preference that is not known", post(requests, hi, `Prefer: handling=strict; note="a, wait=x"`)},
		{"a traceparent that is none", post(requests, hi, "traceparent: nonsense")},
		{"a timeout of a millisecond", post(requests, `{"prompt":"hi","timeout":0.001}`)},
		{"another scheme of Authorization", post(requests, hi, "Authorization: Basic eDp5")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g.do(t, tt.call).is(t, http.StatusAccepted)
		})
	}
}

func TestTheBrokersLimitIsTheGatewaysToo(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen(), bustest.MaxPayload(4096))
	g := start(t, s, configured())
	big := func(n int) string { return `{"prompt":"` + strings.Repeat("x", n) + `"}` }
	g.do(t, post(requests, big(5000))).problem(t, http.StatusRequestEntityTooLarge, "4KiB")
	// Below it by its body, above it with its header.
	g.do(t, post(requests, big(4070))).problem(t, http.StatusRequestEntityTooLarge, "send less")
	g.do(t, post(requests, big(2000))).is(t, http.StatusAccepted)
}
