package gateway

import (
	"context"

	"genesis/internal/program"
)

// Main is the program gateway; it returns the exit code.
func Main() int {
	return program.Main(program.Command{
		Name:    "gateway",
		Summary: "Accepts requests over HTTP and brings their results back.",
		HTTP:    "gateway.http",
		Run:     run,
	})
}

func run(ctx context.Context, p *program.Program) error {
	s, err := New(Options{Config: p.Config, Bus: p.Bus, Log: p.Log, Version: p.Version, OperatorToken: p.OperatorToken, Tracing: p.Tracing})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
