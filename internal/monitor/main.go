package monitor

import (
	"context"

	"genesis/internal/program"
)

// Main runs a monitor until it is told to stop, and returns its exit code.
func Main() int {
	return program.Main(program.Command{
		Name:    "monitor",
		Summary: "Watches everything, tells of changes on the bus, and catches what the workers could not.",
		HTTP:    "monitor.http",
		Patient: true,
		Run:     run,
	})
}

func run(ctx context.Context, p *program.Program) error {
	s, err := New(Options{
		Config: p.Config, Bus: p.Bus, Log: p.Log, Version: p.Version, OperatorToken: p.OperatorToken,
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
