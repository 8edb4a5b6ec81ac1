package ctl

import (
	"context"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"genesis/pkg/bus"
)

// followLast shows the last event of each component, and then what comes.
func (f *eventFlags) followLast(cmd *cobra.Command, b *bus.Bus, p *eventPrinter) error {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	ready := sync.OnceFunc(func() { f.goLive(ctx, cmd, b, p, " yet") })
	return b.FollowHealth(ctx, bus.HealthFollow{Last: true, Ready: ready}, func(e bus.StoredHealthEvent) {
		if f.matches(&e) {
			p.show(e)
		}
		if p.err != nil {
			stop()
		}
	})
}

// followSince shows what happened since a time, and then what comes. It begins to follow
// before it looks back, so that nothing falls between the two.
func (f *eventFlags) followSince(cmd *cobra.Command, b *bus.Bus, p *eventPrinter) error {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	following, listed := make(chan struct{}), make(chan struct{})
	begun := sync.OnceFunc(func() { close(following) })
	var last uint64 // that was shown of the past
	group.Go(func() error {
		return b.FollowHealth(ctx, bus.HealthFollow{Ready: begun}, func(e bus.StoredHealthEvent) {
			begun()
			select {
			case <-listed:
			case <-ctx.Done():
				return
			}
			if e.Sequence > last && f.matches(&e) {
				p.show(e)
			}
			if p.err != nil {
				stop()
			}
		})
	})
	group.Go(func() error {
		select {
		case <-following:
		case <-ctx.Done():
			return nil
		}
		since := time.Now().Add(-time.Duration(f.since))
		for e, err := range b.HealthEvents(ctx, f.filter(since)) {
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			last = e.Sequence
			p.show(e)
		}
		f.goLive(ctx, cmd, b, p, " since "+eventTime(since))
		close(listed)
		return nil
	})
	return group.Wait()
}

// goLive ends the look at the past: what comes now is shown at once.
func (f *eventFlags) goLive(ctx context.Context, cmd *cobra.Command, b *bus.Bus, p *eventPrinter, since string) {
	if p.shown == 0 {
		f.noteNone(ctx, cmd, b, since)
	}
	p.live = true
	p.flush()
}
