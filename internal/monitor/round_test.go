package monitor

import (
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// With rounds an hour apart, only what cannot wait is told between them.
func TestRoundsOutOfTurnTellOnlyWhatIsCertain(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	cfg := testConfig(func(c *config.Config) {
		c.Monitor.Interval = config.Duration(time.Hour)
		c.Monitor.Thresholds.Lag.Degraded = 1
	})
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "probe", "assistant")
	end := work(t, server, "w2", idle(), "echo", "probe", "assistant")
	if _, err := b.Publish(t.Context(), bus.Envelope{Agent: "echo", Lane: bus.LaneBatch, Request: bus.Request{Prompt: "hi"}}); err != nil {
		t.Fatal(err)
	}
	m := start(t, server.URL(), cfg)
	await(t, "it leads and sees the workers", func() bool { return m.leading.Load() && len(m.workersView()) == 2 })
	for range 4 {
		another := passed(m, 1)
		m.wake()
		await(t, "a round out of turn", another)
	}
	if got := events(t, b, agentEcho()); got != nil {
		t.Errorf("events of a lag that was there for some seconds: got %q, want none before two rounds in their turn", got)
	}
	end(true)
	awaitEvents(t, b, bus.Component{Kind: bus.KindWorker, Name: "w2"}, "unhealthy<-healthy")
	if got := events(t, b, agentEcho()); got != nil {
		t.Errorf("events with the loss of the worker: got %q, want none", got)
	}
}
