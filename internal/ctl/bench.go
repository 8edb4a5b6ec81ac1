package ctl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

const (
	maxBenchRequests    = 10_000_000
	maxBenchConcurrency = 10_000
	maxBenchSize        = 1 << 20
)

func newBench(c *cli) *cobra.Command {
	l := load{agent: "echo", requests: 10_000, concurrency: 64, size: 256}
	var lane string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on a system that runs, and measure it",
		Long: `Put load on a system that runs, and measure it: each caller sends a request, waits for
its result, and sends the next. The requests are real: they are stored, executed and
their results kept like any other.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if l.lane, err = bus.ParseLane(lane); err != nil {
				return usagef("--lane: %w", err)
			}
			if err := l.check(); err != nil {
				return err
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			if err := checkAgent(cmd.Context(), b, l.agent); err != nil {
				return err
			}
			bar := newProgress(cmd, "answered", int64(l.requests))
			r, err := l.run(cmd.Context(), b, bar.add)
			bar.done()
			if err != nil {
				return err
			}
			return c.printBench(cmd, r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.agent, "agent", l.agent, "`AGENT` to send the requests to")
	f.IntVar(&l.requests, "requests", l.requests, "how many requests")
	f.IntVar(&l.concurrency, "concurrency", l.concurrency, "how many callers at once")
	f.IntVar(&l.size, "size", l.size, "length of each prompt in bytes")
	f.StringVar(&lane, "lane", "", "interactive or batch (default interactive)")
	f.DurationVar(&l.timeout, "timeout", time.Minute, "how long to wait for each result")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

func (l *load) check() error {
	switch {
	case bus.ValidAgent(l.agent) != nil:
		return usagef("--agent: %w", bus.ValidAgent(l.agent))
	case l.requests < 1 || l.requests > maxBenchRequests:
		return usagef("--requests is %d: use 1 to %d", l.requests, maxBenchRequests)
	case l.concurrency < 1 || l.concurrency > maxBenchConcurrency:
		return usagef("--concurrency is %d: use 1 to %d", l.concurrency, maxBenchConcurrency)
	case l.size < 1 || l.size > maxBenchSize:
		return usagef("--size is %d: use 1 to %d bytes", l.size, maxBenchSize)
	case l.timeout <= 0:
		return usagef("--timeout is %s: use a duration above 0", l.timeout)
	}
	return nil
}

func (c *cli) printBench(cmd *cobra.Command, r *loadReport) error {
	err := list(c, cmd, []*loadReport{r}, []column[*loadReport]{
		{"AGENT", func(r *loadReport) string { return r.Agent }},
		{"REQUESTS", func(r *loadReport) string { return count(r.Requests) }},
		{"CALLERS", func(r *loadReport) string { return count(r.Concurrency) }},
		{"BYTES", func(r *loadReport) string { return count(r.Size) }},
		{"SECONDS", func(r *loadReport) string { return fmt.Sprintf("%.2f", r.Seconds) }},
		{"JOBS/S", func(r *loadReport) string { return fmt.Sprintf("%.0f", r.JobsPerSecond) }},
		{"P50", func(r *loadReport) string { return fmt.Sprintf("%.2fms", r.P50) }},
		{"P95", func(r *loadReport) string { return fmt.Sprintf("%.2fms", r.P95) }},
		{"P99", func(r *loadReport) string { return fmt.Sprintf("%.2fms", r.P99) }},
		{"MAX", func(r *loadReport) string { return fmt.Sprintf("%.2fms", r.Max) }},
		{"FAILED", func(r *loadReport) string { return count(r.Failed) }},
	})
	if err != nil {
		return err
	}
	for _, text := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(cmd.ErrOrStderr(), "genesis: %d x %s\n", r.Errors[text], text)
	}
	switch {
	case r.interrupted:
		return errors.New("interrupted; the figures are of what was answered until then")
	case r.Failed > 0:
		return fmt.Errorf("%s failed", plural(r.Failed, "request"))
	}
	return nil
}
