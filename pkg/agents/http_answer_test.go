package agents_test

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

func TestHTTPAnswer(t *testing.T) {
	tests := []struct {
		name, contentType, body, want string
	}{
		{"a JSON object is the output", "application/json", ` {"a":{"b":[1]}} `, `{"a":{"b":[1]}}`},
		{"with a charset", "application/json; charset=utf-8", `{"a":1}`, `{"a":1}`},
		{"with a broken parameter", "application/json; charset", `{"a":1}`, `{"a":1}`},
		{"of a type built on JSON", "application/vnd.price+json", `{"a":1}`, `{"a":1}`},
		{"with a byte order mark", "application/json", "\ufeff{\"a\":1}", `{"a":1}`},
		{"with bytes that are not UTF-8", "application/json", "{\"a\":\"\xff\"}", `{"a":"\ufffd"}`},
		{"a JSON string is text", "application/json", `"hi \"you\""`, `{"text":"hi \"you\""}`},
		{"a JSON array is a value", "application/json", `[1,2]`, `{"value":[1,2]}`},
		{"a JSON number is a value", "application/json", `9.5`, `{"value":9.5}`},
		{"a JSON null is a value", "application/json", "null\n", `{"value":null}`},
		{"text is text as it is", "text/plain", " hi\n", `{"text":" hi\n"}`},
		{"text that looks like JSON stays text", "text/plain; charset=utf-8", `{"a":1}`, `{"text":"{\"a\":1}"}`},
		{"text that is not UTF-8 is mended", "text/html", "\xff", `{"text":"\ufffd"}`},
		{"empty text", "text/plain", "", `{"text":""}`},
		{"no type, an object", "", `{"a":1}`, `{"a":1}`},
		{"no type, text", "", `hi`, `{"text":"hi"}`},
		{"no type, nothing", "", ``, `{"text":""}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent := serve(t, agents.HTTPOptions{}, respond(http.StatusOK, tt.contentType, tt.body))
			result, err := agent.Handle(t.Context(), agents.Task{})
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, result.Output, tt.want)
		})
	}
}

func TestHTTPAnswerKeepsEveryDigit(t *testing.T) {
	const want = `{"a":123456789012345678901234567890, "b":1.10}`
	agent := serve(t, agents.HTTPOptions{}, respond(http.StatusOK, "application/json", want))
	result, err := agent.Handle(t.Context(), agents.Task{})
	if err != nil || string(result.Output) != want {
		t.Errorf("got %s, %v, want %s to the letter", result.Output, err, want)
	}
}

func TestHTTPAnswerThatIsNone(t *testing.T) {
	tests := []struct {
		name, contentType, body, want string
		permanent                     bool
	}{
		{"an image", "image/png", "\x89PNG", `the answer is "image/png", want JSON or text`, true},
		{"bytes of no type", "", "\xff\xfe", `the answer is "", want JSON or text`, true},
		{"half of a JSON object", "application/json", `{"a":`, `the answer is not valid JSON: "{\"a\":"`, false},
		{"nothing where JSON was promised", "application/json", ``, `the answer is not valid JSON`, false},
		{"a page where JSON was promised", "application/json", "<html>\n", `not valid JSON: "<html>"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent := serve(t, agents.HTTPOptions{}, respond(http.StatusOK, tt.contentType, tt.body))
			_, err := agent.Handle(t.Context(), agents.Task{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want it to say %s", err, tt.want)
			}
			if got := resilience.IsPermanent(err); got != tt.permanent {
				t.Errorf("permanent: got %v, want %v, input %v", got, tt.permanent, err)
			}
		})
	}
}

func TestHTTPTakesEvery2xxForAnAnswer(t *testing.T) {
	for _, status := range []int{200, 201, 202, 203, 299} {
		agent := serve(t, agents.HTTPOptions{}, respond(status, "application/json", `{"a":1}`))
		result, err := agent.Handle(t.Context(), agents.Task{})
		if err != nil {
			t.Errorf("status %d: got %v, want an answer", status, err)
			continue
		}
		sameJSON(t, result.Output, `{"a":1}`)
	}
	agent := serve(t, agents.HTTPOptions{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	result, err := agent.Handle(t.Context(), agents.Task{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, result.Output, `{"text":""}`)
}

func TestHTTPBoundsTheAnswer(t *testing.T) {
	const limit = 1000
	object := func(bytes int) string { return `{"a":"` + strings.Repeat("x", bytes-8) + `"}` }
	chunked := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = http.NewResponseController(w).Flush() // the length is not told
			_, _ = io.WriteString(w, body)
		}
	}
	tests := []struct {
		name    string
		limit   int64
		handler http.HandlerFunc
		want    string
	}{
		{"as long as the limit", limit, respond(200, "application/json", object(limit)), ""},
		{"as long as the limit, untold", limit, chunked(object(limit)), ""},
		{"a byte longer", limit, respond(200, "application/json", object(limit+1)), "the limit of 1000 bytes"},
		{"a byte longer, untold", limit, chunked(object(limit + 1)), "the limit of 1000 bytes"},
		{"as long as it likes", math.MaxInt64, chunked(object(limit)), ""},
		{"1 MiB by default", 0, chunked(object(1 << 20)), ""},
		{"longer than 1 MiB by default", 0, chunked(object(1<<20 + 1)), "the limit of 1048576 bytes"},
		{"an endless answer", limit, func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return // the agent hung up
				}
			}
		}, "the limit of 1000 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agent := serve(t, agents.HTTPOptions{MaxResponse: tt.limit}, tt.handler)
			_, err := agent.Handle(t.Context(), agents.Task{})
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v, want an answer", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !resilience.IsPermanent(err) {
				t.Errorf("got %v, permanent %v, want a permanent error that says %q", err, resilience.IsPermanent(err), tt.want)
			}
		})
	}
}
