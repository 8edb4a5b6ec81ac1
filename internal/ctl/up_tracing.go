package ctl

import (
	"context"
	"log/slog"

	"genesis/internal/telemetry"
)

// tracedParts make the spans of the programs within `genesis up`: each is a service of
// its own, as it is when it runs alone. Nil ones make none.
type tracedParts struct{ gateway, worker *telemetry.Tracing }

func (c *cli) traceParts(ctx context.Context, log *slog.Logger) (p tracedParts) {
	if p.gateway = c.tracing(ctx, "gateway", log.With("program", "gateway")); p.gateway != nil { // else the reason is told
		p.worker = c.tracing(ctx, "worker", log.With("program", "worker"))
	}
	return p
}

func (p tracedParts) close(ctx context.Context) {
	p.gateway.Close(ctx)
	p.worker.Close(ctx)
}
