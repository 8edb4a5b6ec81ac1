package agents_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

// probe runs one attempt of a probe that may not end the process.
func probe(t testing.TB, input string, attempt int) (agents.Result, error) {
	t.Helper()
	task := agents.Task{Prompt: "hi", Attempt: attempt}
	if input != "" {
		task.Input = json.RawMessage(input)
	}
	return agents.Probe(agents.ProbeOptions{}).Handle(t.Context(), task)
}

func TestProbeAnswers(t *testing.T) {
	tests := []struct {
		name, input string
		attempt     int
		want        string
	}{
		{"the prompt when there is no input", "", 1, `{"text":"hi","attempt":1}`},
		{"the prompt when its input asks for nothing", `{}`, 2, `{"text":"hi","attempt":2}`},
		{"when every key says no", `{"sleep_ms":0,"fail":"","fail_times":0,"exit":false,"output_bytes":0}`, 1, `{"text":"hi","attempt":1}`},
		{"as many bytes as ordered", `{"output_bytes":5}`, 1, `{"text":"xxxxx","attempt":1}`},
		{"after the attempts that were to fail", `{"fail":"retryable","fail_times":2}`, 3, `{"text":"hi","attempt":3}`},
		{"at once when none is to fail", `{"fail":"panic","fail_times":0}`, 1, `{"text":"hi","attempt":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := probe(t, tt.input, tt.attempt)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, result.Output, tt.want)
		})
	}
}

func TestProbeFails(t *testing.T) {
	tests := []struct {
		name, input string
		attempt     int
		permanent   bool
	}{
		{"retryably", `{"fail":"retryable"}`, 1, false},
		{"always without fail_times", `{"fail":"retryable"}`, 1000, false},
		{"the last of the first attempts too", `{"fail":"retryable","fail_times":2}`, 2, false},
		{"permanently", `{"fail":"permanent"}`, 1, true},
		{"permanently while told to", `{"fail":"permanent","fail_times":1}`, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := probe(t, tt.input, tt.attempt)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("attempt %d", tt.attempt)) {
				t.Fatalf("got %v, want an error that names the attempt, input %s", err, tt.input)
			}
			if got := resilience.IsPermanent(err); got != tt.permanent {
				t.Errorf("permanent: got %v, want %v, input %s", got, tt.permanent, tt.input)
			}
		})
	}
}

func TestProbePanics(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); got != "probe: told to panic, attempt 2" {
			t.Errorf("got %q, want the probe's panic", got)
		}
	}()
	_, err := probe(t, `{"fail":"panic","fail_times":2}`, 2)
	t.Errorf("got %v, want a panic", err)
}

func TestProbeSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := probe(t, `{"sleep_ms":1500,"fail":"retryable"}`, 1)
		if took := time.Since(start); took != 1500*time.Millisecond || err == nil {
			t.Errorf("got %v after %v, want its failure after 1.5s", err, took)
		}
	})
}

func TestProbeWakesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := resilience.Timeout{Limit: time.Second}.Do(t.Context(), func(ctx context.Context) error {
			_, err := agents.Probe(agents.ProbeOptions{}).Handle(ctx, agents.Task{Input: json.RawMessage(`{"sleep_ms":60000}`)})
			return err
		})
		if took := time.Since(start); took != time.Second || !errors.Is(err, resilience.ErrTimeout) {
			t.Errorf("got %v after %v, want a timeout after 1s", err, took)
		}
		if resilience.IsPermanent(err) {
			t.Errorf("got a permanent %v, want it retryable", err)
		}
	})
}

func TestProbeExits(t *testing.T) {
	var codes []int
	exit := func(code int) { codes = append(codes, code) }
	tests := []struct {
		name      string
		options   agents.ProbeOptions
		input     string
		exits     int
		permanent bool
	}{
		{"where it is allowed", agents.ProbeOptions{AllowExit: true, Exit: exit}, `{"exit":true}`, 1, false},
		{"before it fails", agents.ProbeOptions{AllowExit: true, Exit: exit}, `{"exit":true,"fail":"permanent"}`, 1, false},
		{"not where it is not allowed", agents.ProbeOptions{Exit: exit}, `{"exit":true}`, 0, true},
		{"not without a way to", agents.ProbeOptions{AllowExit: true}, `{"exit":true}`, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			codes = nil
			_, err := agents.Probe(tt.options).Handle(t.Context(), agents.Task{Input: json.RawMessage(tt.input), Attempt: 1})
			if len(codes) != tt.exits || (tt.exits > 0 && codes[0] != 3) {
				t.Errorf("exits: got %v, want %d with code 3", codes, tt.exits)
			}
			if err == nil || resilience.IsPermanent(err) != tt.permanent {
				t.Errorf("got %v, want an error, permanent %v", err, tt.permanent)
			}
			if tt.permanent && !strings.Contains(err.Error(), "refused in production") {
				t.Errorf("got %v, want it to say why", err)
			}
		})
	}
}

func TestProbeInputIsStrict(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"an unknown key", `{"sleep":1}`, `"sleep": unknown; known are sleep_ms`},
		{"a key in other case", `{"Sleep_ms":1}`, `"Sleep_ms": unknown`},
		{"the first of two mistakes by name", `{"zeta":1,"alpha":1}`, `"alpha"`},
		{"text for a number", `{"sleep_ms":"1"}`, `"sleep_ms": got "1", want a whole number from 0 to 86400000`},
		{"a fraction", `{"sleep_ms":1.5}`, `"sleep_ms"`},
		{"a negative number", `{"sleep_ms":-1}`, `"sleep_ms"`},
		{"null for a number", `{"sleep_ms":null}`, `"sleep_ms"`},
		{"more than a day", `{"sleep_ms":86400001}`, `"sleep_ms"`},
		{"more than a number holds", `{"sleep_ms":1e400}`, `"sleep_ms"`},
		{"an unknown way to fail", `{"fail":"loudly"}`, `"fail": got "loudly", want one of ["retryable" "permanent" "panic"]`},
		{"a number for a way to fail", `{"fail":1}`, `"fail"`},
		{"null for a way to fail", `{"fail":null}`, `"fail"`},
		{"negative fail_times", `{"fail":"retryable","fail_times":-1}`, `"fail_times"`},
		{"text for a truth", `{"exit":"true"}`, `"exit": got "true", want true or false`},
		{"null for a truth", `{"exit":null}`, `"exit"`},
		{"8 MiB and a byte", `{"output_bytes":8388609}`, `"output_bytes": got 8388609, want a whole number from 0 to 8388608`},
		{"a whole page for a number", `{"output_bytes":"` + strings.Repeat("x", 1<<20) + `"}`, `"output_bytes"`},
		{"a whole page for a key", `{"` + strings.Repeat("x", 1<<20) + `":1}`, "unknown"},
		{"several lines are shown as one", "{\"exit\":{\n\"a\":\n1}}", `"exit": got {"a":1}, want`},
		{"an array", `[1]`, "not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := probe(t, tt.input, 1)
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 300 {
				t.Fatalf("got %v, want it to say %s, input %.80s", err, tt.want, tt.input)
			}
			if !resilience.IsPermanent(err) {
				t.Errorf("got a retryable %v, want it permanent", err)
			}
		})
	}
}

func TestProbeOutputMayBe8MiB(t *testing.T) {
	result, err := probe(t, `{"output_bytes":8388608}`, 1)
	if err != nil {
		t.Fatal(err)
	}
	var output struct{ Text string }
	if err := json.Unmarshal(result.Output, &output); err != nil || len(output.Text) != 8<<20 {
		t.Errorf("got %d bytes of text and %v, want 8 MiB", len(output.Text), err)
	}
}

func FuzzProbe(f *testing.F) {
	f.Add(`{"fail":"retryable","fail_times":2,"output_bytes":3}`)
	f.Add(`{"exit":true}`)
	f.Add(`{"sleep_ms":-0.0,"fail":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, input string) {
		if strings.Contains(input, "sleep_ms") || strings.Contains(input, "panic") || strings.Contains(input, `\u`) {
			return // it would do as told
		}
		result, err := probe(t, input, 1)
		if err == nil && !json.Valid(result.Output) {
			t.Errorf("got %s, want JSON, input %s", result.Output, input)
		}
	})
}
