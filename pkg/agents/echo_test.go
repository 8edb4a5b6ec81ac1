package agents_test

import (
	"encoding/json"
	"strings"
	"testing"

	"genesis/pkg/agents"
)

func TestEcho(t *testing.T) {
	tests := []struct {
		name string
		task agents.Task
		want string
	}{
		{"answers with the prompt", agents.Task{Prompt: "hi"}, `{"text":"hi"}`},
		{"escapes the prompt", agents.Task{Prompt: "\"\\\n世\x00"}, `{"text":"\"\\\n世\u0000"}`},
		{"answers an empty prompt", agents.Task{}, `{"text":""}`},
		{"puts the input beside it", agents.Task{Prompt: "hi", Input: json.RawMessage(`{"a":[1,{"b":null}]}`)}, `{"text":"hi","input":{"a":[1,{"b":null}]}}`},
		{"answers an input alone", agents.Task{Input: json.RawMessage(`{}`)}, `{"text":"","input":{}}`},
		{"keeps metadata to itself", agents.Task{Prompt: "hi", Metadata: json.RawMessage(`{"secret":1}`)}, `{"text":"hi"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := agents.Echo().Handle(t.Context(), tt.task)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, result.Output, tt.want)
		})
	}
}

func TestEchoAllocatesItsOutputAlone(t *testing.T) {
	echo := agents.Echo()
	for name, task := range map[string]agents.Task{
		"a prompt":           {Prompt: strings.Repeat("x", 4096)},
		"a prompt and input": {Prompt: strings.Repeat("line\n", 800), Input: json.RawMessage(`{"a":1}`)},
	} {
		if got := testing.AllocsPerRun(100, func() { _, _ = echo.Handle(t.Context(), task) }); got > 2 {
			t.Errorf("%s: got %v allocations, want at most the output, grown once", name, got)
		}
	}
}

func FuzzEcho(f *testing.F) {
	for _, s := range strangeTexts() {
		f.Add(s, `{"a":1}`)
	}
	f.Fuzz(func(t *testing.T, prompt, input string) {
		var object map[string]any
		if json.Unmarshal([]byte(input), &object) != nil || object == nil {
			return // no task has such an input
		}
		result, err := agents.Echo().Handle(t.Context(), agents.Task{Prompt: prompt, Input: json.RawMessage(input)})
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSuffix(encoded(t, prompt), "}") + `,"input":` + input + "}"
		sameJSON(t, result.Output, want)
	})
}

func BenchmarkEcho(b *testing.B) {
	echo := agents.Echo()
	for name, prompt := range map[string]string{
		"256B": strings.Repeat("x", 256),
		"4KiB": strings.Repeat("x", 4096),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(prompt)))
			for b.Loop() {
				if _, err := echo.Handle(b.Context(), agents.Task{Prompt: prompt}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
