package resilience_test

import (
	"fmt"
	"testing"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func TestCheckOrder(t *testing.T) {
	cpu := mustBulkhead(t, resilience.BulkheadOptions{Name: "cpu", Slots: 4})
	io := mustBulkhead(t, resilience.BulkheadOptions{Name: "io", Slots: 10})
	model := mustAdaptive(t, resilience.AdaptiveOptions{Name: "model", Ceiling: 10})
	timeout := resilience.Timeout{}
	ladder := mustFallback(t, resilience.FallbackOptions{Rungs: []resilience.Rung{
		{Name: "primary", Policy: resilience.Chain{io, cpu}},
		{Name: "static", Policy: cpu, Func: pass},
		{Name: "plain"},
	}})
	tests := []struct {
		name   string
		chains map[string]resilience.Chain
		want   string
	}{
		{"no chains", nil, ""},
		{"the same order", map[string]resilience.Chain{"a": {cpu, timeout, io}, "b": {cpu, io, model}}, ""},
		{"one after another chain's", map[string]resilience.Chain{"a": {cpu}, "b": {io}}, ""},
		{
			"the other way round",
			map[string]resilience.Chain{"a": {cpu, timeout, io}, "b": {io, cpu}},
			`bulkheads in a cycle: a holds "cpu" and takes "io"; b holds "io" and takes "cpu"`,
		},
		{"twice the same", map[string]resilience.Chain{"a": {cpu, cpu}}, `bulkheads in a cycle: a holds "cpu" and takes "cpu"`},
		{
			"over three",
			map[string]resilience.Chain{"a": {cpu, io}, "b": {io, model}, "c": {resilience.Chain{model}, resilience.Chain{cpu}}},
			`bulkheads in a cycle: a holds "cpu" and takes "io"; b holds "io" and takes "model"; c holds "model" and takes "cpu"`,
		},
		{
			"within a rung",
			map[string]resilience.Chain{"a": {cpu, ladder}},
			`bulkheads in a cycle: a holds "cpu" and takes "cpu"` + "\n" +
				`bulkheads in a cycle: a holds "io" and takes "cpu"; a holds "cpu" and takes "io"`,
		},
		{
			"around the rest of a chain",
			map[string]resilience.Chain{"a": {ladder, io}},
			`bulkheads in a cycle: a holds "io" and takes "io"` + "\n" +
				`bulkheads in a cycle: a holds "cpu" and takes "io"; a holds "io" and takes "cpu"`,
		},
		{"not around the rest of a chain that a rung does not run", map[string]resilience.Chain{"a": {mustFallback(t, resilience.FallbackOptions{
			Rungs: []resilience.Rung{{Name: "static", Policy: cpu, Func: pass}},
		}), cpu}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := message(resilience.CheckOrder(tt.chains)); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// There is a cycle exactly when taking away, again and again, what nothing is
// held for leaves something.
func TestCheckOrderFindsEveryCycle(t *testing.T) {
	var bulkheads []*resilience.Bulkhead
	for i := range 5 {
		bulkheads = append(bulkheads, mustBulkhead(t, resilience.BulkheadOptions{Name: fmt.Sprint(i), Slots: 1}))
	}
	rapid.Check(t, func(t *rapid.T) {
		chains := map[string]resilience.Chain{}
		takes := [5][5]bool{}
		for c := range rapid.IntRange(0, 5).Draw(t, "chains") {
			order := rapid.SliceOfNDistinct(rapid.IntRange(0, 4), 0, 3, rapid.ID).Draw(t, "order")
			var chain resilience.Chain
			for i, b := range order {
				chain = append(chain, bulkheads[b])
				for _, held := range order[:i] {
					takes[held][b] = true
				}
			}
			chains[fmt.Sprint(c)] = chain
		}
		left := map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true}
		for range 5 {
			for b := range left {
				free := true
				for held := range left {
					free = free && !takes[held][b]
				}
				if free {
					delete(left, b)
				}
			}
		}
		if err := resilience.CheckOrder(chains); (err != nil) != (len(left) > 0) {
			t.Fatalf("got %v, want a cycle: %v", err, len(left) > 0)
		}
	})
}
