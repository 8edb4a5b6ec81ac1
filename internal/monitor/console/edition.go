package console

import (
	"context"
	"time"
)

// An edition is one rendering of the page, shared by all its readers.
type edition struct {
	sheet   *sheet
	made    time.Time
	changed <-chan struct{} // closed when there is something newer to say
	parts   []string        // the HTML of each of parts()
}

// old reports whether another edition may say something else.
func (e *edition) old(now time.Time) bool {
	select {
	case <-e.changed:
		return true
	default:
		return now.Sub(e.made) >= pace
	}
}

// edition returns one that holds all that was there to say when it was called. However
// many ask, one is made at a time, and none while the last still holds.
func (c *Console) edition(ctx context.Context) (*edition, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-c.turn }()
	now := time.Now()
	if c.last != nil && !c.last.old(now) {
		return c.last, nil
	}
	changed := c.o.Changed() // before View, so that no change falls in between
	e := &edition{sheet: newSheet(c.o.View(), now), made: now, changed: changed}
	e.sheet.Version, e.sheet.Build = c.o.Version, c.assets.build
	for _, part := range parts() {
		text, err := c.render(part, e.sheet)
		if err != nil {
			return nil, err
		}
		e.parts = append(e.parts, string(text))
	}
	c.last = e
	return e, nil
}
