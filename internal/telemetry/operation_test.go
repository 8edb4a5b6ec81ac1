package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/propagation"
)

func TestAnOperationIsMonitored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := NewRegistry("monitor", "dev")
		round := NewOperations(r, slog.New(slog.NewTextHandler(&log, nil))).Operation("round")
		expect := func(when, total, failed, count, sum, progress string) {
			t.Helper()
			got := scrape(t, r)
			for name, want := range map[string]string{
				"genesis_operations_total": total, "genesis_operation_errors_total": failed, "genesis_operations_in_progress": progress,
				"genesis_operation_duration_seconds_count": count, "genesis_operation_duration_seconds_sum": sum,
			} {
				if got := got[name+`{operation="round"}`]; got != want {
					t.Errorf("%s: %s is %q, want %s", when, name, got, want)
				}
			}
		}
		expect("before the first", "0", "0", "0", "0", "0")

		during := func(context.Context) error {
			time.Sleep(time.Second)
			expect("during it", "1", "0", "0", "0", "1")
			return nil
		}
		if err := round.Do(t.Context(), during); err != nil {
			t.Errorf("a success: got %v", err)
		}
		expect("after a success", "1", "0", "1", "1", "0")
		if log.Len() > 0 {
			t.Errorf("a success is logged: %s", &log)
		}

		boom, traceparent := errors.New("boom"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		ctx := propagation.TraceContext{}.Extract(t.Context(), textCarrier{&traceparent})
		err := round.Do(ctx, func(context.Context) error { time.Sleep(2 * time.Second); return boom }, "agent", "echo")
		if !errors.Is(err, boom) {
			t.Errorf("a failure: got %v, want %v", err, boom)
		}
		expect("after a failure", "2", "1", "2", "3", "0")
		for _, want := range []string{"level=WARN", "operation=round", "duration=2s", "error=boom", "agent=echo", "trace_id=4bf92f3577b34da6a3ce929d0e0e4736"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log of a failure: got %s, want it to tell %s", &log, want)
			}
		}

		func() {
			defer func() { _ = recover() }()
			_ = round.Do(t.Context(), func(context.Context) error { panic("at the disco") })
		}()
		expect("after a panic", "3", "2", "3", "3", "0")
	})
}

func TestAnOperationNeedsNoLog(t *testing.T) {
	boom := errors.New("boom")
	o := NewOperations(NewRegistry("gateway", "dev"), nil).Operation("publish")
	if err := o.Do(t.Context(), func(context.Context) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("got %v, want %v", err, boom)
	}
}
