package worker

import (
	"context"
	"os"

	"genesis/internal/program"
)

// Main runs a worker until it is told to stop, and returns its exit code.
func Main() int { return program.Main(command()) }

func command() program.Command {
	return program.Command{
		Name:    "worker",
		Summary: "Executes the requests of one or more agents. Run as many as you need.",
		HTTP:    "worker.http",
		Flags: []program.Flag{
			{Name: "agents", Setting: "worker.agents", Value: "A,B", Help: "agents to serve, separated by commas (without: worker.agents, or all)"},
		},
		Run: run,
	}
}

func run(ctx context.Context, p *program.Program) error {
	s, err := New(Options{
		Config: p.Config, Bus: p.Bus, Log: p.Log, Version: p.Version,
		Name: p.WorkerName, OperatorToken: p.OperatorToken, Tracing: p.Tracing,
		Exit: os.Exit, //nolint:forbidigo // a drill: the probe is asked to take its worker down
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
