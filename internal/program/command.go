package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"genesis/internal/config"
	"genesis/internal/telemetry"
)

// Exit codes of every program.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Command is a program that runs until it is told to stop.
type Command struct {
	// Name as it is typed: "worker".
	Name string
	// Summary is one line about what it does, for --help.
	Summary string
	// HTTP is the setting that --http overrides: "worker.http". Empty: no such flag.
	HTTP string
	// Flags are further flags.
	Flags []Flag
	// Patient programs start without the broker: their bus connects when it comes, and
	// they prepare it themselves (see [PrepareOnceThere]).
	Patient bool
	// Run blocks until all that it started has stopped. When ctx ends it drains
	// and returns nil; the cause of ctx names the signal.
	Run func(ctx context.Context, p *Program) error
}

// Main runs the command of this process and returns its exit code: 0 done,
// 1 failed, 2 usage. The first SIGINT or SIGTERM ends the context of Run, the
// second ends the process at once.
func Main(c Command) int {
	ctx, stop := UntilSignal(context.Background()) //nolint:forbidigo // this is main, but for its name
	defer stop()
	TuneMemory(os.LookupEnv)                                               //nolint:forbidigo // this is main, but for its name
	return c.Execute(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr) //nolint:forbidigo // handed to config.Load
}

// UntilSignal returns a context that ends with SIGINT or SIGTERM, the signal being
// its cause. From then on, and after stop, signals act as if nobody listened: a
// second one ends the process.
func UntilSignal(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(parent, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Execute is Main with its surroundings given: the arguments without the program's
// name, and the environment. It logs to stderr. An error is one line there, or
// one for each problem of the configuration, that begins with the program's name.
func (c Command) Execute(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) int {
	err := c.execute(ctx, args, env, stdout, stderr)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(stderr, "%s: %s\n", c.Name, line)
		}
	}
	if ExitCode(err) == ExitUsage {
		fmt.Fprintf(stderr, "Run `%s --help` for its flags.\n", c.Name)
	}
	return ExitCode(err)
}

func (c Command) execute(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) error {
	parsed, err := c.parse(args)
	switch {
	case err != nil:
		return err
	case parsed.help:
		c.help(stdout)
		return nil
	case parsed.version:
		fmt.Fprintf(stdout, "%s %s\n", c.Name, Version())
		return nil
	}
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	log, err := Logger(stderr, env)
	if err != nil {
		return err
	}
	log = log.With("program", c.Name)
	cfg, err := config.Load(parsed.file, env, parsed.overrides...)
	if err != nil {
		return err
	}
	tracing := telemetry.NewTracing(ctx, telemetry.TracingOptions{Program: c.Name, Version: Version(), Env: env, Log: log})
	defer tracing.Close(ctx)
	connect := Connect
	if c.Patient {
		connect = ConnectLater
	}
	b, err := connect(ctx, c.Name, cfg, log, nil)
	if err != nil {
		if ctx.Err() != nil {
			log.Info("stopped before it was ready", "reason", context.Cause(ctx))
			return nil
		}
		return err
	}
	defer b.Close()
	p := &Program{Config: cfg, Bus: b, Log: log, Version: Version(), Tracing: tracing, Stdout: stdout, Stderr: stderr}
	p.OperatorToken, _ = env("GENESIS_OPERATOR_TOKEN")
	p.WorkerName, _ = env("GENESIS_WORKER_NAME")
	return c.Run(ctx, p)
}

// ErrUsage matches, by errors.Is, errors in how a program was called.
var ErrUsage = errors.New("usage")

// usageError is an error of the command line or the environment; its text does not
// say so, because people see that.
type usageError struct{ err error }

func (e *usageError) Error() string        { return e.err.Error() }
func (e *usageError) Unwrap() error        { return e.err }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

// Usage marks err as an error in how the program was called. Usage(nil) is nil.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

// ExitCode is the exit code for an error of a program.
func ExitCode(err error) int {
	var setting *config.Error
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.As(err, &setting) && isFlag(setting.Source):
		return ExitUsage
	}
	return ExitFailed
}
