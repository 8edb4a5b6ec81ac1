package telemetry

import (
	"errors"
	"log/slog"

	"genesis/pkg/bus"
)

// SettlementLog tells operators what ended badly, and at the level debug what comes
// back. Successes are counted, not logged. What it returns is for bus.PoolOptions.Observe.
func SettlementLog(log *slog.Logger) func(bus.Settlement) {
	return func(s bus.Settlement) {
		switch s.Verdict {
		case bus.VerdictPanic:
			log.Error("an agent panicked; its request is a dead letter", append(about(&s), "stack", stack(s.Err))...)
		case bus.VerdictPoison:
			log.Info("a request that crashed its workers is a dead letter", about(&s)...)
		case bus.VerdictPermanent, bus.VerdictExhausted, bus.VerdictMalformed:
			log.Info("a request is a dead letter", about(&s)...)
		case bus.VerdictRetryable, bus.VerdictRejected, bus.VerdictDraining, bus.VerdictHeld:
			log.Debug("a request comes back", append(about(&s), "delay", s.Delay.String())...)
		case bus.VerdictSuccess, bus.VerdictExpired, bus.VerdictAnswered, bus.VerdictDuplicate:
		}
	}
}

func about(s *bus.Settlement) []any {
	about := []any{
		"request_id", s.Job.ID, "lane", s.Job.Lane, "reason", s.Verdict,
		"attempt", s.Job.Attempt, "delivery", s.Job.Deliveries, "error", s.Err,
	}
	if id := TraceID(s.Job.Traceparent); id != "" {
		about = append(about, "trace_id", id)
	}
	return about
}

func stack(err error) string {
	if p, ok := errors.AsType[*bus.PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}
