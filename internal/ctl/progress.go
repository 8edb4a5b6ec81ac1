package ctl

import (
	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A progress is a bar on stderr, when that is a terminal; its zero value shows nothing.
type progress struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// newProgress shows a bar that begins with a word. Call done in the end, whatever the end.
func newProgress(cmd *cobra.Command, word string, total int64) *progress {
	if !isTerminal(cmd.ErrOrStderr()) {
		return &progress{}
	}
	all := mpb.New(mpb.WithOutput(cmd.ErrOrStderr()), mpb.WithWidth(60))
	bar := all.New(total, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(word+" "), decor.CountersNoUnit("%d/%d")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  left "), decor.AverageETA(decor.ET_STYLE_GO)))
	return &progress{all: all, bar: bar}
}

// set says how much is done, of how much.
func (p *progress) set(done, total uint64) {
	if p.bar == nil {
		return
	}
	p.bar.SetTotal(int64(total), false) //nolint:gosec // a count of messages
	p.bar.SetCurrent(int64(done))       //nolint:gosec // a count of messages
}

// add says that one more is done.
func (p *progress) add() {
	if p.bar != nil {
		p.bar.Increment()
	}
}

// done takes the bar away.
func (p *progress) done() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(true)
	p.all.Wait()
}
