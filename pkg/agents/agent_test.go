package agents_test

import (
	"encoding/json"
	"testing"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

func TestNilFuncIsAnErrorNotAPanic(t *testing.T) {
	_, err := agents.Func(nil).Handle(t.Context(), agents.Task{})
	if !resilience.IsPermanent(err) {
		t.Errorf("got %v, want a permanent error", err)
	}
}

func TestUsageIsWrittenAsTheContractSays(t *testing.T) {
	got, err := json.Marshal(agents.Usage{InputTokens: 3, OutputTokens: 5})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, got, `{"input_tokens":3,"output_tokens":5}`)
}

func TestStaticAlwaysAnswersTheSame(t *testing.T) {
	static := agents.Static(`busy, "soon"`)
	for range 2 {
		result, err := static.Handle(t.Context(), agents.Task{Prompt: "hi"})
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, result.Output, `{"text":"busy, \"soon\""}`)
	}
}
