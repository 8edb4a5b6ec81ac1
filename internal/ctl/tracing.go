package ctl

import (
	"context"
	"log/slog"

	"genesis/internal/program"
	"genesis/internal/telemetry"
)

// tracing makes the spans of a program as the variables OTEL_* say; nil makes none.
func (c *cli) tracing(ctx context.Context, name string, log *slog.Logger) *telemetry.Tracing {
	return telemetry.NewTracing(ctx, telemetry.TracingOptions{Program: name, Version: program.Version(), Env: c.env, Log: log})
}
