package ctl

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"genesis/pkg/bus"
)

const (
	// batchWidth is how many dead letters are worked on at once.
	batchWidth = 8
	// batchNamed is how many failures are printed one by one.
	batchNamed = 10
)

// errSkip says that there was nothing to do for a dead letter.
var errSkip = errors.New("skipped")

// A letterRef names one dead letter of a frozen set.
type letterRef struct {
	agent, id string
	sequence  uint64
}

// freeze collects the selected dead letters as they stand now.
func (s *selection) freeze(ctx context.Context, b *bus.Bus) ([]letterRef, error) {
	var refs []letterRef
	_, err := s.each(ctx, b, func(d bus.DeadLetter) {
		refs = append(refs, letterRef{agent: d.Agent, id: d.ID, sequence: d.Sequence})
	})
	return refs, err
}

// read reads a dead letter of the set; one that was removed or replaced since then is skipped.
func (r letterRef) read(ctx context.Context, b *bus.Bus) (bus.DeadLetter, error) {
	d, err := b.DeadLetter(ctx, r.agent, r.id)
	if errors.Is(err, bus.ErrNotFound) || err == nil && d.Sequence != r.sequence {
		return d, errSkip
	}
	return d, err
}

// A batchSummary is how far a batch came.
type batchSummary struct {
	Selected int `json:"selected"`
	Done     int `json:"done"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	Left     int `json:"left"`
}

// A batch does something to each dead letter of a frozen set.
type batch struct {
	verb, done string // "replay", "replayed"
	refs       []letterRef
	rate       rate.Limit // 0 is no limit
	do         func(context.Context, letterRef) error

	mu      sync.Mutex
	summary batchSummary
}

// run works until the set is done, the context ends or the broker is gone. What it
// began it finishes, so the summary is true whatever the end.
func (t *batch) run(cmd *cobra.Command) (batchSummary, error) {
	t.summary.Selected = len(t.refs)
	bar := newProgress(cmd, t.verb, int64(len(t.refs)))
	g, ctx := errgroup.WithContext(cmd.Context())
	g.SetLimit(batchWidth)
	limiter := rate.NewLimiter(rate.Inf, 1)
	if t.rate > 0 {
		limiter.SetLimit(t.rate)
	}
	for _, ref := range t.refs {
		if limiter.Wait(ctx) != nil || ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			err := t.do(ctx, ref)
			if err = t.count(cmd, ref, err); err == nil {
				bar.add()
			}
			return err
		})
	}
	err := g.Wait()
	bar.done()
	t.summary.Left = t.summary.Selected - t.summary.Done - t.summary.Failed - t.summary.Skipped
	switch {
	case cmd.Context().Err() != nil:
		return t.summary, fmt.Errorf("interrupted: %s left; the same command goes on with them", plural(t.summary.Left, "dead letter"))
	case err != nil:
		return t.summary, fmt.Errorf("%w; %s left; the same command goes on with them", err, plural(t.summary.Left, "dead letter"))
	case t.summary.Failed > 0:
		return t.summary, fmt.Errorf("%s could not be %s; kept as before", plural(t.summary.Failed, "dead letter"), t.done)
	}
	return t.summary, nil
}

// count enters the outcome of one; it returns an error that ends the batch.
func (t *batch) count(cmd *cobra.Command, ref letterRef, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.summary.Done++
	case errors.Is(err, errSkip), errors.Is(err, bus.ErrNotFound):
		t.summary.Skipped++
	case errors.Is(err, bus.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, errStuck):
		return err // not known to be done: it is left
	default:
		t.summary.Failed++
		if t.summary.Failed <= batchNamed {
			fmt.Fprintf(cmd.ErrOrStderr(), "genesis: %s of %s: %s\n", ref.id, ref.agent, oneLine(err.Error()))
		}
	}
	return nil
}
