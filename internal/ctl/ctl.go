// Package ctl is the genesis command: it runs everything on one machine (`genesis up`)
// and operates a system that runs, here or elsewhere.
//
// Each command lives in a file of its name. A command prints its answer to stdout and
// everything else to stderr; an error is one line that says what to do. The scripts in
// testdata are the specification. What the commands do with requests and streams is
// the work of package bus; only the files named up* start other programs.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"genesis/internal/program"
	"genesis/pkg/agents"
)

// Main runs the command line of this process and returns its exit code: 0 done, 1
// failed, 2 usage. The first interrupt ends a command in good order, a second at once.
func Main() int {
	ctx, stop := program.UntilSignal(context.Background()) //nolint:forbidigo // this is main, but for its name
	defer stop()
	return Execute(ctx, os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr) //nolint:forbidigo // handed to config.Load
}

// Execute is Main with its surroundings given: the arguments without the program's
// name, and the environment.
func Execute(ctx context.Context, args []string, env func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(&cli{env: env}) //nolint:contextcheck // each command takes it from cobra: ExecuteContextC below
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return program.ExitDone
	}
	text := err.Error()
	if errors.Is(err, program.ErrUsage) {
		text += fmt.Sprintf(" (see `%s --help`)", cmd.CommandPath())
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(stderr, "genesis: %s\n", line)
	}
	return program.ExitCode(err)
}

// A cli is what the commands share: the environment, and the flags that several have.
type cli struct {
	env func(string) (string, bool)

	configFile string
	natsURL    string
	context    string
	operator   string
	output     outputFormat
}

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "genesis",
		Short: "Run AI-agent requests so that none is lost and every caller gets an answer",
		Long: `Genesis runs AI-agent requests so that none is lost and every caller gets an answer.

` + "`genesis up`" + ` starts everything on this machine. The other commands work on a system
that runs: they find it by --nats, GENESIS_NATS_URL or a context of the nats tool, and
else look at nats://127.0.0.1:4222.`,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return program.Usage(err) })
	root.AddCommand(
		newUp(c), newRequest(c), newAgents(c), newLag(c), newEvents(c), newDLQ(c), newExplain(c), newBreakers(c), newChaos(c), newStreams(c),
		newConfig(c), newKeys(c), newVerify(c), newBench(c), newVersion(),
	)
	return root
}

// group is a command that only has others below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			names := make([]string, len(commands))
			for i, sub := range commands {
				names[i] = sub.Name()
			}
			return usagef("%s needs one of %s", cmd.CommandPath(), strings.Join(names, ", "))
		},
	}
	g.AddCommand(commands...)
	return g
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	err := fmt.Sprintf("unknown command %q for %s", name, cmd.CommandPath())
	if near := nearest(name, names); near != "" {
		err += fmt.Sprintf("; did you mean %q?", near)
	}
	return usagef("%s", err)
}

// nearest is the name most like the one given, or empty when none is close.
func nearest(name string, names []string) string {
	known := agents.New()
	for _, n := range names {
		if known.Add(n, agents.Echo()) != nil {
			continue // no name that anybody could mean
		}
	}
	return known.Nearest(name)
}

// usagef is an error in how a command was called.
func usagef(format string, args ...any) error { return program.Usage(fmt.Errorf(format, args...)) }

// noArgs refuses arguments; what the command works on is said by flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// oneArg demands one argument, which what names.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return usagef("%s needs %s", cmd.CommandPath(), what)
		}
		return usagef("%s takes one argument, %s, got also %q", cmd.CommandPath(), what, args[1])
	}
}
