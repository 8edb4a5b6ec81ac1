package main

import (
	"context"
	"fmt"

	"genesis/pkg/bus"
)

// benchGroup compares publishing with group commit against plain publishing, on a
// server that syncs each write before it confirms.
func benchGroup(ctx context.Context, b *bench) error {
	a, err := openArena(ctx, strict)
	if err != nil {
		return err
	}
	defer a.close()
	plain, err := bus.Connect(ctx, bus.Options{URL: a.broker.url})
	if err != nil {
		return err
	}
	defer plain.Close()
	prompt := text(256)
	empty := func(ctx context.Context, _ int) error { return a.empty(ctx, genesisAgent) }
	for _, callers := range []int{64, 256, 1000} {
		name := fmt.Sprintf("%d callers", callers)
		if !b.wants(name) {
			continue
		}
		by := func(with *bus.Bus) side {
			return side{"plain", empty, timed(func(ctx context.Context, n int) error {
				return publishBy(ctx, with, callers, n, prompt)
			})}
		}
		base, grouped := by(plain), by(a.publisher)
		grouped.name = "grouped"
		c, err := b.compare(ctx, a.broker, name, base, grouped)
		if err != nil {
			return err
		}
		var t target
		if callers == 256 {
			t.AtLeast = 5
		}
		r := c.row(name, "publishes/s", t)
		r.Note = "base: the same without group commit"
		b.add(r)
	}
	return nil
}
