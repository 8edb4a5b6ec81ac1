package agents_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"genesis/pkg/agents"
)

func simulate(t *testing.T, task agents.Task) (string, agents.Usage) {
	t.Helper()
	result, err := agents.Simulated().Handle(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	var output struct{ Text string }
	if err := json.Unmarshal(result.Output, &output); err != nil {
		t.Fatalf("got %s, want an object with a text: %v", result.Output, err)
	}
	return output.Text, result.Usage
}

func TestSimulatedSaysThatItIs(t *testing.T) {
	for _, prompt := range append(strangeTexts(), strings.Repeat("世", 10000)) {
		if text, _ := simulate(t, agents.Task{Prompt: prompt}); !strings.HasPrefix(text, "[simulated] ") {
			t.Errorf("got %q, want it to begin with [simulated], input %q", text, prompt)
		}
	}
}

func TestSimulatedRepeatsTheTask(t *testing.T) {
	tests := []struct {
		name string
		task agents.Task
		want string
	}{
		{"its prompt", agents.Task{Prompt: "sum up 世界"}, "9 characters begins: sum up 世界"},
		{"its input when there is no prompt", agents.Task{Input: json.RawMessage(`{"a":1}`)}, `7 characters begins: {"a":1}`},
		{"the beginning of a long prompt, in whole characters", agents.Task{Prompt: strings.Repeat("世", 1000)}, "1000 characters begins: " + strings.Repeat("世", 120)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, _ := simulate(t, tt.task)
			if !strings.HasSuffix(text, tt.want) {
				t.Errorf("got %q, want it to end with %q", text, tt.want)
			}
		})
	}
}

func TestSimulatedIsDeterministic(t *testing.T) {
	task := agents.Task{Prompt: "sum up", Input: json.RawMessage(`{"a":1}`)}
	first, err := agents.Simulated().Handle(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	task.ID, task.Attempt = "other", 7
	second, err := agents.Simulated().Handle(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, second) {
		t.Errorf("got %+v then %+v, want the same answer", first, second)
	}
}

func TestSimulatedEstimatesUsage(t *testing.T) {
	text, usage := simulate(t, agents.Task{Prompt: strings.Repeat("世", 9), Input: json.RawMessage(`{"a":1}`)})
	want := agents.Usage{InputTokens: 3 + 2, OutputTokens: (len([]rune(text)) + 3) / 4}
	if usage != want {
		t.Errorf("got %+v, want %+v", usage, want)
	}
}
