// Command bench measures Genesis against the plainest good program that does the
// same work with nats.go alone, in one run, on one server, in alternating rounds:
// its ratios hold on a machine whose absolute figures do not. Run it by `go run .`
// in this directory; -h lists its flags.
//
// The server is a process of its own: bench runs itself as `bench server`, so that
// the CPU time of the broker and that of its clients can be told apart.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if len(os.Args) > 1 && os.Args[1] == "server" {
		err = serve(os.Args[2:], os.Stdin, os.Stdout)
	} else if len(os.Args) > 1 && os.Args[1] == "collector" {
		err = collect(os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A settings are the flags.
type settings struct {
	only     []string
	cases    string
	quick    bool
	full     bool
	duration time.Duration
	rounds   int
	json     bool
	profiles string
}

// A benchmark measures one thing and adds rows to the report.
type benchmark struct {
	name string
	what string
	run  func(context.Context, *bench) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{"jobs", "jobs a second: publish, consume, and both, against raw nats.go", benchJobs},
		{"latency", "one request at a time, publish to result, against raw nats.go", benchLatency},
		{"group", "group commit on a server that syncs each write, against plain publishing", benchGroup},
		{"backlog", "jobs a second with a deep queue, against a shallow one", benchBacklog},
		{"agents", "the same load on many agents, against one", benchAgents},
		{"hung", "a healthy agent beside a hung one, against alone", benchHung},
		{"telemetry", "jobs a second with metrics, logs and traces, against none of them", benchTelemetry},
		{"policies", "calls through resilience policies, against failsafe-go", benchPolicies},
		{"survey", "CPU time of one look of the monitor at every lane, against its budget", benchSurvey},
		{"http", "Prefer: wait at a gateway against the bus path; memory and allocations", benchHTTP},
	}
}

// gcPercent is what internal/program sets for the programs of Genesis. Here both sides
// have it, because they share a process.
const gcPercent = 400

// run parses the flags, runs the benchmarks one after the other, and prints their
// rows: the table at the end, progress as it goes.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	s, err := parse(args, progress)
	if err != nil {
		return err
	}
	debug.SetGCPercent(gcPercent)
	b := &bench{settings: s, progress: progress}
	for _, m := range benchmarks() {
		if len(s.only) > 0 && !slices.Contains(s.only, m.name) {
			continue
		}
		b.current = m.name
		b.say("%s: %s", m.name, m.what)
		if err := m.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if err := b.profileAllocs(); err != nil {
		return err
	}
	if s.json {
		return writeJSON(out, b.rows)
	}
	return writeTable(out, b.rows)
}

func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	var only string
	var names []string
	for _, m := range benchmarks() {
		names = append(names, m.name)
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&only, "only", "", "comma separated: "+strings.Join(names, ", ")+" (default all)")
	f.StringVar(&s.cases, "case", "", "only cases whose name contains this")
	f.BoolVar(&s.quick, "quick", false, "fewer cases and short rounds: a look, not a measurement")
	f.BoolVar(&s.full, "full", false, "also the cases that need minutes and gigabytes, such as 1M pending")
	f.DurationVar(&s.duration, "duration", 0, "of one round (default 1.5s, with -quick 400ms)")
	f.IntVar(&s.rounds, "rounds", 0, "of each side (default 7, with -quick 3)")
	f.BoolVar(&s.json, "json", false, "print JSON instead of a table")
	f.StringVar(&s.profiles, "profiles", "", "write a CPU profile of each round, and one of all allocations, into this directory")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if only != "" {
		s.only = strings.Split(only, ",")
	}
	for _, name := range s.only {
		if !slices.Contains(names, name) {
			return s, fmt.Errorf("no benchmark is called %q: use %s", name, strings.Join(names, ", "))
		}
	}
	duration, rounds := 1500*time.Millisecond, 7
	if s.quick {
		duration, rounds = 400*time.Millisecond, 3
	}
	if s.duration <= 0 {
		s.duration = duration
	}
	if s.rounds <= 0 {
		s.rounds = rounds
	}
	return s, nil
}
