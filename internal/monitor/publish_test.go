package monitor

import (
	"testing"

	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// state is how a monitor says that a component is; empty: it was never told of.
func state(m *runner, c bus.Component) bus.HealthState {
	for _, v := range m.components() {
		if v.Component == c.String() {
			return v.State
		}
	}
	return ""
}

func TestAnEventStreamThatIsMadeAnewIsFollowedByAll(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "assistant")
	// The stream has had some events, so that the new one begins below the states known.
	other := bus.Component{Kind: bus.KindDependency, Name: "elsewhere"}
	var last uint64
	for _, s := range []bus.HealthState{bus.StateDegraded, bus.StateUnhealthy, bus.StateDegraded, bus.StateHealthy} {
		var err error
		if last, err = b.PublishHealth(t.Context(), bus.HealthEvent{Component: other, Data: bus.HealthData{State: s}}, last); err != nil {
			t.Fatal(err)
		}
	}
	first, second := start(t, server.URL(), cfg), start(t, server.URL(), cfg)
	probe := bus.Component{Kind: bus.KindAgent, Name: "probe"}
	both := func(want bus.HealthState) func() bool {
		return func() bool { return state(first, probe) == want && state(second, probe) == want }
	}
	await(t, "both know that nobody serves the probe", both(bus.StateUnhealthy))

	if err := b.JetStream().DeleteStream(t.Context(), bus.StreamHealth); err != nil {
		t.Fatal(err)
	}
	if err := program.Prepare(t.Context(), b, cfg); err != nil {
		t.Fatal(err)
	}
	awaitEvents(t, b, probe, "unhealthy<-healthy") // the new stream must tell of it
	work(t, server, "w2", idle(), "probe")

	awaitEvents(t, b, probe, "unhealthy<-healthy", "healthy<-unhealthy")
	await(t, "both know that it is served again", both(bus.StateHealthy))
}
