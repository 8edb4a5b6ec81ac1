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

func TestOnlyAnOutputOfThisPackageIsKnownToBeValid(t *testing.T) {
	mine := agents.Text("hi")
	if !mine.Valid() {
		t.Error("Text: got an output that is not known to be valid")
	}
	copied := mine
	if !copied.Valid() {
		t.Error("a copy of Text: got an output that is not known to be valid")
	}
	for name, output := range map[string]string{"another output": `{"text":"ha"}`, "no JSON": "nonsense", "none": ""} {
		r := mine
		if r.Output = []byte(output); r.Valid() {
			t.Errorf("%s: got valid, want not known", name)
		}
	}
	r := mine
	if r.Output = mine.Output[:len(mine.Output)-1]; r.Valid() {
		t.Error("a part of the output: got valid, want not known")
	}
}
