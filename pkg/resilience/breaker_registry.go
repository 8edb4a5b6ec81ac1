package resilience

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Breakers is a registry of breakers by name. The zero value is empty and ready;
// it is safe for concurrent use and must not be copied.
type Breakers struct {
	mu     sync.RWMutex
	byName map[string]*Breaker
}

// Add puts a breaker under its name. A nil breaker and a name that is taken are
// errors.
func (r *Breakers) Add(b *Breaker) error {
	if b == nil {
		return errors.New("add breaker: it is nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.byName[b.Name()]; taken {
		return fmt.Errorf("add breaker: the name %q is taken; dependencies that share a breaker share the one added first", b.Name())
	}
	if r.byName == nil {
		r.byName = make(map[string]*Breaker)
	}
	r.byName[b.Name()] = b
	return nil
}

// Get returns the breaker of that name.
func (r *Breakers) Get(name string) (*Breaker, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	b, ok := r.byName[name]
	return b, ok
}

// All returns the breakers by name, in alphabetical order.
func (r *Breakers) All() []*Breaker {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*Breaker, 0, len(r.byName))
	for _, b := range r.byName {
		all = append(all, b)
	}
	slices.SortFunc(all, func(x, y *Breaker) int { return strings.Compare(x.Name(), y.Name()) })
	return all
}

// Stats returns the stats of every breaker, in alphabetical order.
func (r *Breakers) Stats() []BreakerStats {
	all := r.All()
	stats := make([]BreakerStats, len(all))
	for i, b := range all {
		stats[i] = b.Stats()
	}
	return stats
}
