package agents_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"genesis/pkg/agents"
)

// encoded is {"text": s} as encoding/json writes it.
func encoded(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]string{"text": s}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// strangeTexts are strings an encoder may stumble over.
func strangeTexts() []string {
	return []string{
		"", "hi", `say "hi"`, `C:\dir`, "a\nb\tc\rd\be\ff", "\x00\x01\x1f\x7f", "<b>&amp;</b>",
		"grüße, 世界 🙂", "line\u2028paragraph\u2029end", "\u2027\u202a", "\ufffd", "\ufeff",
		"\xff", "a\xc3", "\xed\xa0\x80", "\xf0\x9f\x99", "ok\xe2\x80", "\xe2\x80\xa8\xe2\x80",
	}
}

func TestTextIsWhatEncodingJSONWrites(t *testing.T) {
	for _, s := range strangeTexts() {
		if got, want := string(agents.Text(s).Output), encoded(t, s); got != want {
			t.Errorf("got %s, want %s, input %q", got, want, s)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range strangeTexts() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(agents.Text(s).Output), encoded(t, s); got != want {
			t.Errorf("got %s, want %s, input %q", got, want, s)
		}
	})
}
