package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Other is the value of a label for everything beyond its bound.
const Other = "other"

// bounded keeps one T, such as the handles of a label's metrics, for each of the
// first few values of a label, and one for all others. Reading costs no lock.
type bounded[T any] struct {
	limit int
	make  func(value string) T
	other func() T

	known atomic.Pointer[map[string]T]
	mu    sync.Mutex // held while a value is added
}

// newBounded makes a set with the values that are there from the start. Beyond
// them, up to limit values are added as they come.
func newBounded[T any](limit int, f func(value string) T, values ...string) *bounded[T] {
	b := &bounded[T]{limit: limit + len(values), make: f, other: sync.OnceValue(func() T { return f(Other) })}
	known := make(map[string]T, b.limit)
	for _, v := range values {
		known[v] = f(v)
	}
	b.known.Store(&known)
	return b
}

func (b *bounded[T]) get(value string) T {
	if t, ok := (*b.known.Load())[value]; ok {
		return t
	}
	return b.add(value)
}

func (b *bounded[T]) add(value string) T {
	if !plain(value) {
		return b.other()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known := *b.known.Load()
	if t, ok := known[value]; ok {
		return t
	}
	if len(known) >= b.limit {
		return b.other()
	}
	more := maps.Clone(known)
	t := b.make(value)
	more[value] = t
	b.known.Store(&more)
	return t
}

// plain reports whether a value can be a label as it is: short, and made of
// printable ASCII.
func plain(value string) bool {
	if value == "" || len(value) > 64 {
		return false
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return true
}
