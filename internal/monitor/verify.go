package monitor

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"genesis/internal/health"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// firstVerify is how long a new leader waits before its first verification, when the
// interval is not shorter: leaders that change often shall not read all streams each
// time. It is also how soon a verification that could not be made is tried again.
const firstVerify = time.Minute

// A verifier verifies the ledger on a schedule, as `genesis verify` does by hand.
type verifier struct {
	bus       *bus.Bus
	log       *slog.Logger
	every     time.Duration // 0: never
	operation *telemetry.Operation
	changed   func()

	mu      sync.Mutex
	last    *health.Ledger
	missing map[string]uint64 // by agent
	good    time.Time
}

// run verifies until ctx ends.
func (v *verifier) run(ctx context.Context) error {
	if v.every <= 0 {
		return nil
	}
	timer := time.NewTimer(min(v.every, firstVerify))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(v.rest(v.verify(ctx)))
	}
}

// rest is how long to wait after a verification.
func (v *verifier) rest(made error) time.Duration {
	if made != nil {
		return min(v.every, firstVerify)
	}
	return v.every
}

// verify makes one verification and keeps what it found. The error is that it could not
// be made.
func (v *verifier) verify(ctx context.Context) error {
	var reports []bus.VerifyReport
	err := v.operation.Do(ctx, func(ctx context.Context) (err error) {
		reports, err = v.bus.Verify(ctx, bus.VerifyOptions{})
		return err
	})
	if ctx.Err() != nil {
		return err // it does not lead any more
	}
	v.keep(reports, err)
	v.changed()
	return err
}

func (v *verifier) keep(reports []bus.VerifyReport, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		l := health.Ledger{}
		if v.last != nil {
			l = *v.last
		}
		l.Problem = err.Error()
		v.last = &l
		return
	}
	l := &health.Ledger{At: time.Now(), Agents: map[string]uint64{}}
	v.missing = make(map[string]uint64, len(reports))
	for _, r := range reports {
		v.missing[r.Agent] = r.MissingCount
		l.Checked += r.Pending + r.Results + r.DeadLetters + r.Duplicates
		l.Missing += r.MissingCount
		if r.MissingCount > 0 {
			l.Agents[r.Agent] = r.MissingCount
			v.log.Error("requests are missing: they are neither pending, nor answered, nor dead letters",
				"agent", r.Agent, "missing", r.MissingCount, "first", r.Missing[:min(len(r.Missing), 5)])
		}
	}
	if l.Missing == 0 {
		v.good = l.At
	}
	v.last = l
}

// forget is for one who does not lead any more: what it found is old soon.
func (v *verifier) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last, v.missing, v.good = nil, nil, time.Time{}
}

// ledger is what the last verification found; nil before the first.
func (v *verifier) ledger() *health.Ledger {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

// figures are the missing requests by agent, and when a verification last missed none.
func (v *verifier) figures() (missing map[string]uint64, good time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.missing), v.good
}
