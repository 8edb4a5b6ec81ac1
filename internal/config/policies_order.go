package config

import (
	"maps"
	"slices"
	"strings"
)

// slotOrder says which bulkhead is taken while which is held, and by which policy.
type slotOrder map[string]map[string]string

// checkOrder looks for policies that take a slot of the same bulkheads in different
// orders: under load each would hold what the other waits for.
func (c *Config) checkOrder(r *report, shared map[string]string) {
	known := slices.Sorted(maps.Keys(shared))
	order := make(slotOrder)
	for _, policy := range slices.Sorted(maps.Keys(c.Policies)) {
		b := c.Policies[policy].Bulkhead
		if b == nil {
			continue
		}
		at := join(join(join("policies", policy), "bulkhead"), "within")
		taken := make([]string, 0, len(b.Within)+1)
		for i, name := range b.Within {
			switch {
			case !slices.Contains(known, name):
				r.add(index(at, i), "unknown bulkhead %s%s", quote(name), didYouMean(name, known))
			case name == b.Name:
				r.add(index(at, i), "a bulkhead is not within itself; remove it")
			case slices.Contains(taken, name):
				r.add(index(at, i), "%s is there twice; remove one", quote(name))
			default:
				taken = append(taken, name)
			}
		}
		if b.Name != "" {
			taken = append(taken, b.Name)
		}
		if cycle := order.add(policy, taken); cycle != "" {
			r.add(at, "a cycle: %s; calls would wait for each other, so take them in the same order everywhere", cycle)
		}
	}
}

// add notes what a policy takes, in order, or says what cycle that would make.
func (o slotOrder) add(policy string, taken []string) string {
	for i, held := range taken {
		for _, next := range taken[i+1:] {
			if back := o.path(next, held, make(map[string]bool)); back != nil {
				return strings.Join(append(back, step(policy, held, next)), ", ")
			}
		}
	}
	for i, held := range taken {
		for _, next := range taken[i+1:] {
			if o[held] == nil {
				o[held] = make(map[string]string)
			}
			if _, noted := o[held][next]; !noted {
				o[held][next] = policy
			}
		}
	}
	return ""
}

// path returns the steps from one bulkhead to another; nil when there are none.
func (o slotOrder) path(from, to string, seen map[string]bool) []string {
	seen[from] = true
	for _, next := range slices.Sorted(maps.Keys(o[from])) {
		if next == to {
			return []string{step(o[from][next], from, next)}
		}
		if !seen[next] {
			if rest := o.path(next, to, seen); rest != nil {
				return append([]string{step(o[from][next], from, next)}, rest...)
			}
		}
	}
	return nil
}

func step(policy, held, next string) string {
	return "policies." + policy + " takes " + quote(held) + " and then " + quote(next)
}
