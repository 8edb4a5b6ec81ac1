package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
		cost, err := b.calls(ctx, c.peer, n, cores, "")
		if err != nil {
			return row{}, err
		}
		if took := time.Duration(cost.nanos) * time.Duration(n/cores); took > b.duration/10 {
			break
		}
		n *= 2
	}
	if _, err := b.calls(ctx, c.ours, n, cores, ""); err != nil { // warm
		return row{}, err
	}
	sides := [2]call{c.peer, c.ours}
	var nanos, cpu, allocs [2][]float64
	var ratios []float64
	for i := range b.rounds {
		for k := range sides {
			which := (i + k) % 2
			cost, err := b.calls(ctx, sides[which], n, cores, fmt.Sprintf("%s-%d-%d", name, which, i))
			if err != nil {
				return row{}, err
			}
			nanos[which], cpu[which], allocs[which] = append(nanos[which], cost.nanos), append(cpu[which], cost.cpu), append(allocs[which], cost.allocs)
		}
		ratios = append(ratios, nanos[1][i]/nanos[0][i])
	}
	r := row{
		Case: name, Unit: "ns/call", Base: median(nanos[0]), Genesis: median(nanos[1]), Ratio: median(ratios),
		BaseCPU: cpuCost{Client: median(cpu[0]) / 1000}, GenesisCPU: cpuCost{Client: median(cpu[1]) / 1000},
		BaseAllocs: median(allocs[0]), GenesisAllocs: median(allocs[1]),
		Note: fmt.Sprintf("base: failsafe-go; CPU %s against %s ns, allocations %.1f against %.1f",
			figure(median(cpu[1])), figure(median(cpu[0])), median(allocs[1]), median(allocs[0])),
	}
	switch {
	case c.rejected: // by its CPU time, to which what else the machine does adds nothing
		r.Note += wanted(fmt.Sprintf("%d ns and none", mostRejectedNano), median(cpu[1]) <= mostRejectedNano && r.GenesisAllocs < 0.5)
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

// A callCost is what one call took, as its caller saw it; its CPU time, in
// nanoseconds too; and what it allocated.
type callCost struct{ nanos, cpu, allocs float64 }

// calls makes n calls, by as many goroutines as there are cores.
func (b *bench) calls(ctx context.Context, c call, n, cores int, profile string) (callCost, error) {
	runtime.GC() // the garbage of one side is not the other's
	stop, err := b.profile(profile)
	if err != nil {
		return callCost{}, err
	}
	each := n / cores
	errs := make([]error, cores)
	var group sync.WaitGroup
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, cpu := time.Now(), ownCPU()
	for i := range cores {
		group.Go(func() {
			for range each {
				if errs[i] = c(ctx); errs[i] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	cpu = ownCPU() - cpu
	runtime.ReadMemStats(&after)
	stop()
	all := float64(each * cores)
	cost := callCost{
		nanos: float64(took) / float64(each), cpu: float64(cpu) / all,
		allocs: float64(after.Mallocs-before.Mallocs) / all,
	}
	return cost, errors.Join(append(errs, ctx.Err())...)
}
