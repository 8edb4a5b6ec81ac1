package resilience

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CheckOrder looks for chains that share bulkheads in a way that makes them wait
// for each other: one takes a slot of cpu and then one of io, another io and then
// cpu; or one takes a slot of the same bulkhead twice. Under load each would hold
// what the other waits for. The error names each such cycle, and the chains that
// make it; nil means there is none.
//
// It looks into chains and ladders within chains. Bulkheads taken by the work
// itself it cannot see.
func CheckOrder(chains map[string]Chain) error {
	o := slotOrder{taken: map[*Bulkhead]map[*Bulkhead]string{}}
	for _, name := range slices.Sorted(maps.Keys(chains)) {
		o.chain = name
		o.follow(chains[name], nil)
	}
	return o.err()
}

// slotOrder gathers which bulkhead is taken while which is held.
type slotOrder struct {
	chain string
	taken map[*Bulkhead]map[*Bulkhead]string // held, taken, by which chain
	order []*Bulkhead                        // keys of taken, as they came
}

// follow goes through policies, outermost first, holding slots of held.
func (o *slotOrder) follow(policies []Policy, held []*Bulkhead) {
	for i, p := range policies {
		switch p := p.(type) {
		case *Bulkhead:
			held = o.take(p, held)
		case *AdaptiveBulkhead:
			held = o.take(p.bulkhead, held)
		case Chain:
			o.follow(slices.Concat(p, policies[i+1:]), held)
			return
		case *Fallback:
			for _, r := range p.rungs {
				within := []Policy{r.Policy}
				if r.Func == nil { // the rest of the chain runs in the rung
					within = append(within, policies[i+1:]...)
				}
				o.follow(within, held)
			}
			return
		}
	}
}

// take notes that b is taken while held are, and returns what is held then.
func (o *slotOrder) take(b *Bulkhead, held []*Bulkhead) []*Bulkhead {
	for _, h := range held {
		if o.taken[h] == nil {
			o.taken[h] = map[*Bulkhead]string{}
			o.order = append(o.order, h)
		}
		if _, known := o.taken[h][b]; !known {
			o.taken[h][b] = o.chain
		}
	}
	return append(slices.Clone(held), b)
}

// err returns an error for each bulkhead that can come to be waited for by
// itself, each cycle once.
func (o *slotOrder) err() error {
	var errs []error
	told := map[*Bulkhead]bool{}
	for _, b := range o.order {
		if told[b] {
			continue
		}
		if cycle := o.path(b, b, map[*Bulkhead]bool{}); cycle != nil {
			for _, c := range cycle {
				told[c] = true
			}
			errs = append(errs, o.cycleError(append([]*Bulkhead{b}, cycle...)))
		}
	}
	return errors.Join(errs...)
}

// path returns a way from one bulkhead to another, the first left out; nil for
// none.
func (o *slotOrder) path(from, to *Bulkhead, seen map[*Bulkhead]bool) []*Bulkhead {
	if _, direct := o.taken[from][to]; direct {
		return []*Bulkhead{to}
	}
	seen[from] = true
	for _, next := range o.order {
		if _, direct := o.taken[from][next]; direct && !seen[next] {
			if rest := o.path(next, to, seen); rest != nil {
				return append([]*Bulkhead{next}, rest...)
			}
		}
	}
	return nil
}

func (o *slotOrder) cycleError(cycle []*Bulkhead) error {
	var steps []string
	for i, b := range cycle[1:] {
		steps = append(steps, fmt.Sprintf("%s holds %q and takes %q", o.taken[cycle[i]][b], cycle[i].name, b.name))
	}
	return fmt.Errorf("bulkheads in a cycle: %s", strings.Join(steps, "; "))
}
