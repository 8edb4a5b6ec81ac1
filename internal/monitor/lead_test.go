package monitor

import (
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// takeover is within which time another monitor leads after one was killed.
const takeover = 5 * time.Second

func TestAfterTheLeaderDiesTheNextRepeatsNothingAndMissesNothing(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "assistant")
	first := start(t, server.URL(), cfg)
	await(t, "the first leads", func() bool { return first.leading.Load() })
	probe := bus.Component{Kind: bus.KindAgent, Name: "probe"}
	awaitEvents(t, b, probe, "unhealthy<-healthy") // nobody serves it
	second := start(t, server.URL(), cfg)
	await(t, "the second knows who leads", func() bool {
		second.mu.Lock()
		defer second.mu.Unlock()
		return second.leader.Holder == first.name && second.recalled()
	})

	first.bus.Conn().Close() // as dead as it can be within this process
	died := time.Now()
	await(t, "the second leads", func() bool { return second.leading.Load() })
	if took := time.Since(died); took > takeover {
		t.Errorf("the takeover: got after %s, want within %s", took, takeover)
	}
	work(t, server, "w2", idle(), "probe")

	awaitEvents(t, b, probe, "unhealthy<-healthy", "healthy<-unhealthy")
	await(t, "rounds passed", passed(second, 5))
	if got := events(t, b, probe); len(got) != 2 {
		t.Errorf("events: got %q, want two", got)
	}
}

func TestAMonitorThatStopsInGoodOrderIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	first := start(t, server.URL(), cfg)
	await(t, "the first leads", func() bool { return first.leading.Load() })
	second := start(t, server.URL(), cfg)
	await(t, "the second watches", passed(second, 1))
	first.cancel()
	began := time.Now()
	await(t, "the second leads", func() bool { return second.leading.Load() })
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the handover: got after %s, want within 3s", took)
	}
	if err := <-first.ended; err != nil {
		t.Errorf("Run after its end: got %v, want nil", err)
	}
}

// A change that was decided and not published is decided again by the next leader; one
// that was published and not noted is not published twice. Both end with one event.
func TestAChangeIsToldOnceHoweverManyTryAtOnce(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	m := start(t, server.URL(), cfg)
	await(t, "it leads", func() bool { return m.leading.Load() })
	// Somebody who believes to lead as well, as a process does that was stopped for a while.
	event := bus.HealthEvent{Component: agentEcho(), Data: bus.HealthData{State: bus.StateUnhealthy, Previous: bus.StateHealthy, Reason: "no worker serves it"}}
	_, err := b.PublishHealth(t.Context(), event, 0)
	await(t, "the monitor has judged the agent", func() bool {
		return len(events(t, b, agentEcho())) > 0
	})
	await(t, "rounds passed", passed(m, 5))
	if got := events(t, b, agentEcho()); len(got) != 1 || got[0] != "unhealthy<-healthy" {
		t.Errorf("events: got %q (the other one's publish: %v), want one", got, err)
	}
}
