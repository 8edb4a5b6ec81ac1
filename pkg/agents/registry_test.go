package agents_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"genesis/pkg/agents"

	"pgregory.net/rapid"
)

func TestRegistryAddChecksTheName(t *testing.T) {
	tests := []struct {
		name, agent, want string
	}{
		{"one letter", "a", ""},
		{"letters, digits and dashes", "summarizer-2-", ""},
		{"32 characters", "a" + strings.Repeat("b", 31), ""},
		{"33 characters", "a" + strings.Repeat("b", 32), "33 characters, at most 32"},
		{"a megabyte is not repeated whole", strings.Repeat("b", 1<<20), "1048576 characters, at most 32"},
		{"empty", "", "the name is empty"},
		{"a digit first", "2fast", "must start with a letter"},
		{"a dash first", "-a", "must start with a letter"},
		{"upper case", "Echo", "must start with a letter"},
		{"upper case inside", "eCho", "only a to z"},
		{"a dot, which would split a subject", "a.b", "only a to z"},
		{"a wildcard", "a*", "only a to z"},
		{"a letter of another alphabet", "é", "must start with a letter"},
		{"a line end", "echo\n", "only a to z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := agents.New()
			err := r.Add(tt.agent, agents.Echo())
			if tt.want == "" {
				if _, ok := r.Get(tt.agent); err != nil || !ok {
					t.Fatalf("got %v, found %v, want it added, input %q", err, ok, tt.agent)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 200 {
				t.Errorf("got %v, want it to say %q, input %.40q", err, tt.want, tt.agent)
			}
			if names := r.Names(); len(names) != 0 {
				t.Errorf("got names %q, want none after an error", names)
			}
		})
	}
}

func TestRegistryRefusesWhatItHas(t *testing.T) {
	var r agents.Registry // the zero value is ready to use
	if err := r.Add("echo", agents.Static("first")); err != nil {
		t.Fatal(err)
	}
	if err := r.Add("echo", agents.Static("second")); err == nil || !strings.Contains(err.Error(), "already taken") {
		t.Errorf("a duplicate: got %v, want it refused", err)
	}
	if err := r.Add("nobody", nil); err == nil || !strings.Contains(err.Error(), "is nil") {
		t.Errorf("a nil agent: got %v, want it refused", err)
	}
	first, _ := r.Get("echo")
	result, err := first.Handle(t.Context(), agents.Task{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, result.Output, `{"text":"first"}`)
}

func TestRegistryNamesAreSorted(t *testing.T) {
	r := agents.New()
	for _, name := range []string{"probe", "assistant", "echo"} {
		if err := r.Add(name, agents.Echo()); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := r.Names(), []string{"assistant", "echo", "probe"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if a, ok := r.Get("nobody"); a != nil || ok {
		t.Errorf("an unknown name: got %v, %v, want none", a, ok)
	}
}

func TestRegistryNearest(t *testing.T) {
	r := agents.New()
	for _, name := range []string{"a", "echo", "probe", "assistant", "summarizer", "summarizer-v2"} {
		if err := r.Add(name, agents.Echo()); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, typed, want string }{
		{"a name itself", "echo", "echo"},
		{"a letter too few", "eco", "echo"},
		{"a letter too many", "probes", "probe"},
		{"a wrong letter", "ekho", "echo"},
		{"two letters swapped", "ehco", "echo"},
		{"more mistakes in a longer name", "sumarisar", "summarizer"},
		{"the closest of several", "summarizer-v1", "summarizer-v2"},
		{"upper case", "Echo", "echo"},
		{"nothing close", "translator", ""},
		{"nothing close to a short name", "ache", ""},
		{"nothing typed", "", ""},
		{"one letter is not close to another", "b", ""},
		{"an endless name", strings.Repeat("echo", 1<<20), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.Nearest(tt.typed); got != tt.want {
				t.Errorf("got %q, want %q, input %.40q", got, tt.want, tt.typed)
			}
		})
	}
	if got := agents.New().Nearest("echo"); got != "" {
		t.Errorf("an empty registry: got %q, want none", got)
	}
}

func TestRegistryNearestFindsAnyNameOneEditAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9-]{1,31}`).Draw(t, "name")
		at := rapid.IntRange(0, len(name)-1).Draw(t, "at")
		typed := name[:at] + name[at+1:]
		r := agents.New()
		if err := r.Add(name, agents.Echo()); err != nil {
			t.Fatal(err)
		}
		if got := r.Nearest(typed); got != name {
			t.Fatalf("got %q, want %q, input %q", got, name, typed)
		}
	})
}

// closer is an agent that counts how often it was closed.
type closer struct {
	err    error
	closed *int
}

func (c closer) Handle(context.Context, agents.Task) (agents.Result, error) {
	return agents.Result{}, c.err
}

func (c closer) Close() error { *c.closed++; return c.err }

func TestRegistryClosesWhatCanBeClosed(t *testing.T) {
	errFirst, errSecond := errors.New("first"), errors.New("second")
	closed := 0
	r := agents.New()
	for name, a := range map[string]agents.Agent{
		"plain":  agents.Echo(),
		"a":      closer{errFirst, &closed},
		"b":      closer{nil, &closed},
		"ladder": ladderOf(t, agents.Rung{Name: agents.Primary, Agent: agents.Echo()}, agents.Rung{Name: "fallback", Agent: closer{errSecond, &closed}}),
	} {
		if err := r.Add(name, a); err != nil {
			t.Fatal(err)
		}
	}
	err := r.Close()
	if closed != 3 || !errors.Is(err, errFirst) || !errors.Is(err, errSecond) {
		t.Errorf("got %d closed and %v, want all 3 and both errors", closed, err)
	}
	if want := "close agent a: first\nclose agent ladder: close rung fallback: second"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if err := agents.New().Close(); err != nil {
		t.Errorf("an empty registry: got %v, want nil", err)
	}
}
