package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"genesis/pkg/resilience"
)

// What a call may cost.
const (
	mostOfPeer       = 0.35 // of the peer's time, on success
	mostAllocs       = 5
	mostRejectedNano = 150
)

// A policyCase is one kind of call through the same policies of both libraries.
type policyCase struct {
	name     string
	peer     call
	ours     call
	rejected bool // nothing is tried: the cost of an outage
	whole    bool // all six policies, for which there are targets
}

// A call makes one call; an error says that it did not go as the case wants.
type call func(ctx context.Context) error

// benchPolicies compares what policies cost with what they cost in failsafe-go, on
// one core and on two.
func benchPolicies(ctx context.Context, b *bench) error {
	full, err := resilience.NewBulkhead(resilience.BulkheadOptions{Slots: 1})
	if err != nil {
		return err
	}
	return full.Do(ctx, func(ctx context.Context) error { return b.allPolicies(ctx, full) })
}

// allPolicies runs all cases, within the only slot of full.
func (b *bench) allPolicies(ctx context.Context, full *resilience.Bulkhead) error {
	cases, err := policyCases(ctx, full)
	if err != nil {
		return err
	}
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, cores := range []int{1, 2} {
		runtime.GOMAXPROCS(cores)
		for _, c := range cases {
			name := fmt.Sprintf("%s, cores: %d", c.name, cores)
			if !b.wants(name) || cores > runtime.NumCPU() {
				continue
			}
			r, err := b.policies(ctx, name, c, cores)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			b.add(r)
		}
	}
	return nil
}

// policies runs the rounds of a case: both sides in turn, A B, B A, with the same
// number of calls. The ratio is that of the times.
func (b *bench) policies(ctx context.Context, name string, c policyCase, cores int) (row, error) {
	n := 1000
	for { // as many as the peer makes in a part of a round's duration
		nanos, _, err := b.calls(ctx, c.peer, n, cores, "")
		if err != nil {
			return row{}, err
		}
		if took := time.Duration(nanos) * time.Duration(n/cores); took > b.duration/10 {
			break
		}
		n *= 2
	}
	if _, _, err := b.calls(ctx, c.ours, n, cores, ""); err != nil { // warm
		return row{}, err
	}
	sides := [2]call{c.peer, c.ours}
	var nanos, allocs [2][]float64
	var ratios []float64
	for i := range b.rounds {
		for k := range sides {
			which := (i + k) % 2
			took, allocated, err := b.calls(ctx, sides[which], n, cores, fmt.Sprintf("%s-%d-%d", name, which, i))
			if err != nil {
				return row{}, err
			}
			nanos[which], allocs[which] = append(nanos[which], took), append(allocs[which], allocated)
		}
		ratios = append(ratios, nanos[1][i]/nanos[0][i])
	}
	r := row{
		Case: name, Unit: "ns/call", Base: median(nanos[0]), Genesis: median(nanos[1]), Ratio: median(ratios),
		BaseAllocs: median(allocs[0]), GenesisAllocs: median(allocs[1]),
		Note: fmt.Sprintf("base: failsafe-go; allocations %.1f against %.1f", median(allocs[1]), median(allocs[0])),
	}
	switch {
	case c.rejected:
		best := slices.Min(nanos[1]) // a machine that does other things too adds to the others
		r.Note += fmt.Sprintf(", best round %s ns", figure(best)) +
			wanted(fmt.Sprintf("%d ns and none", mostRejectedNano), best <= mostRejectedNano && r.GenesisAllocs < 0.5)
	case c.whole:
		r.Target = target{AtMost: mostOfPeer}
		r.Note += wanted(fmt.Sprintf("%d", mostAllocs), r.GenesisAllocs < mostAllocs+0.5)
	}
	return r, nil
}

func wanted(what string, met bool) string {
	if met {
		return ", at most " + what + ": ok"
	}
	return ", at most " + what + ": MISSED"
}

// calls makes n calls, by as many goroutines as there are cores, and returns how
// long one took, as its caller sees it, and what it allocated.
func (b *bench) calls(ctx context.Context, c call, n, cores int, profile string) (nanos, allocs float64, err error) {
	runtime.GC() // the garbage of one side is not the other's
	stop, err := b.profile(profile)
	if err != nil {
		return 0, 0, err
	}
	errs := make([]error, cores)
	var group sync.WaitGroup
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for i := range cores {
		group.Go(func() {
			for range n / cores {
				if err := c(ctx); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	stop()
	for _, err := range errs {
		if err != nil {
			return 0, 0, err
		}
	}
	each := float64(n / cores)
	return float64(took) / each, float64(after.Mallocs-before.Mallocs) / (each * float64(cores)), ctx.Err()
}
