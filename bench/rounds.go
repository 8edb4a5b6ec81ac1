package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// A side is one way to do the work.
type side struct {
	name string
	// prepare makes ready for n operations; it is not measured. It may be nil.
	prepare func(ctx context.Context, n int) error
	// run does n operations and says how long they took.
	run func(ctx context.Context, n int) (time.Duration, error)
}

// A sample is one round of one side.
type sample struct {
	perSecond float64
	cpu       cpuCost
	// allocs counts the clients' allocations an operation.
	allocs float64
}

// A comparison is what the rounds of both sides came to.
type comparison struct {
	base, genesis sample
	ratio         float64
}

// row is the comparison as a line of the report.
func (c comparison) row(name, unit string, t target) row {
	return row{
		Case: name, Unit: unit, Base: c.base.perSecond, Genesis: c.genesis.perSecond, Ratio: c.ratio, Target: t,
		BaseCPU: c.base.cpu, GenesisCPU: c.genesis.cpu, BaseAllocs: c.base.allocs, GenesisAllocs: c.genesis.allocs,
	}
}

// compare runs both sides in turn, A B, B A, A B, each round with the same number of
// operations, about as many as the base does in the round's duration. The ratio is
// the median over the pairs, so that what disturbs the machine meets both alike.
func (b *bench) compare(ctx context.Context, srv *broker, name string, base, genesis side) (comparison, error) {
	n, err := b.calibrate(ctx, base)
	if err != nil {
		return comparison{}, err
	}
	return b.versus(ctx, srv, name, base, genesis, n, b.rounds)
}

// versus runs so many rounds of n operations.
func (b *bench) versus(ctx context.Context, srv *broker, name string, base, genesis side, n, rounds int) (comparison, error) {
	_, err := b.round(ctx, srv, genesis, n/4+1, "") // warm
	if err != nil {
		return comparison{}, err
	}
	var bases, ours []sample
	var ratios []float64
	for i := range rounds {
		pair := [2]sample{}
		sides := [2]side{base, genesis}
		for k := range 2 {
			which := (i + k) % 2
			profile := fmt.Sprintf("%s-%s-%d", name, sides[which].name, i)
			if pair[which], err = b.round(ctx, srv, sides[which], n, profile); err != nil {
				return comparison{}, err
			}
		}
		bases, ours = append(bases, pair[0]), append(ours, pair[1])
		ratios = append(ratios, pair[1].perSecond/pair[0].perSecond)
	}
	return comparison{base: summary(bases), genesis: summary(ours), ratio: median(ratios)}, nil
}

// calibrate finds out how many operations a side does in a round.
func (b *bench) calibrate(ctx context.Context, s side) (int, error) {
	const most = 2_000_000
	for n := 100; ; n *= 4 {
		took, err := b.once(ctx, s, n)
		if err != nil {
			return 0, err
		}
		if took > b.duration/6 || n > most {
			return max(100, min(most, int(float64(n)*float64(b.duration)/float64(took)))), nil
		}
	}
}

func (b *bench) once(ctx context.Context, s side, n int) (time.Duration, error) {
	if s.prepare != nil {
		if err := s.prepare(ctx, n); err != nil {
			return 0, fmt.Errorf("%s: prepare: %w", s.name, err)
		}
	}
	took, err := s.run(ctx, n)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return took, nil
}

// round measures a side once.
func (b *bench) round(ctx context.Context, srv *broker, s side, n int, profile string) (sample, error) {
	if s.prepare != nil {
		if err := s.prepare(ctx, n); err != nil {
			return sample{}, fmt.Errorf("%s: prepare: %w", s.name, err)
		}
	}
	runtime.GC() // the garbage of one side is not the other's
	stop, err := b.profile(profile)
	if err != nil {
		return sample{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	client, server := ownCPU(), processCPU(srv.cmd.Process.Pid)
	took, err := s.run(ctx, n)
	client, server = ownCPU()-client, processCPU(srv.cmd.Process.Pid)-server
	runtime.ReadMemStats(&after)
	stop()
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", s.name, err)
	}
	per := float64(n) * float64(time.Microsecond)
	return sample{
		perSecond: float64(n) / took.Seconds(),
		cpu:       cpuCost{Client: float64(client) / per, Server: float64(server) / per},
		allocs:    float64(after.Mallocs-before.Mallocs) / float64(n),
	}, nil
}

// profile starts a CPU profile, when they are asked for.
func (b *bench) profile(name string) (stop func(), err error) {
	if b.profiles == "" || name == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(b.profiles, 0o755); err != nil {
		return nil, err
	}
	file := strings.NewReplacer(" ", "_", ",", "", "/", "_").Replace(b.current+"-"+name) + ".pprof"
	f, err := os.Create(filepath.Join(b.profiles, file))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}

// profileAllocs writes which functions allocated what in all of the run.
func (b *bench) profileAllocs() error {
	if b.profiles == "" {
		return nil
	}
	f, err := os.Create(filepath.Join(b.profiles, "allocs.pprof"))
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// summary is the median of each figure.
func summary(samples []sample) sample {
	var rates, clients, servers, allocs []float64
	for _, s := range samples {
		rates = append(rates, s.perSecond)
		clients = append(clients, s.cpu.Client)
		servers = append(servers, s.cpu.Server)
		allocs = append(allocs, s.allocs)
	}
	return sample{perSecond: median(rates), cpu: cpuCost{Client: median(clients), Server: median(servers)}, allocs: median(allocs)}
}

// wants reports whether a case is asked for.
func (b *bench) wants(name string) bool { return strings.Contains(name, b.cases) }
