package monitor

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/internal/config"
	"genesis/internal/health"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// alone starts one server of a cluster whose others never come: clients can connect, and
// JetStream has no leader.
func alone(t *testing.T) (url string) {
	t.Helper()
	n := bustest.Node{Dir: t.TempDir(), Name: "n1", Addr: free(t), Route: free(t), Others: []string{free(t), free(t)}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	started := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		if err := bustest.RunNode(ctx, n, func() { close(started) }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	<-started
	return "nats://" + n.Addr
}

func TestABrokerThatAnswersNothingIsAnOutage(t *testing.T) {
	t.Parallel()
	m := start(t, alone(t), testConfig(func(c *config.Config) { c.Monitor.WorseAfter = 1 }))
	await(t, "it is told of", func() bool { return contains(m.log, "alert_unhealthy", "component=dependency/nats") })
	if got := m.status(); got.Status != "degraded" || len(got.AffectedServices) != 4 {
		t.Errorf("status: got %+v, want degraded, and that all agents and nats are affected", got)
	}
	if !m.checks().NATS {
		t.Error("the broker is connected: got that it is not")
	}
}

// shown is what a monitor shows of the broker, in order, as STATE<-PREVIOUS.
func shown(m *runner) []string {
	var all []string
	for _, e := range slices.Backward(m.feed.last(maxKept)) {
		if e.Component == natsItself() {
			all = append(all, string(e.Data.State)+"<-"+string(e.Data.Previous))
		}
	}
	return all
}

// outageAndEnd are the two events of an outage.
func outageAndEnd() []string { return []string{"unhealthy<-healthy", "healthy<-unhealthy"} }

// The one that led tells the webhook of the outage; another one leads when it is over.
func TestAnOutageIsOneThoughAnotherMonitorTellsOfItsEnd(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	hook := receive(t)
	cfg := testConfig(hooked(hook.URL))
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "probe", "assistant")
	gate := way(t, server.URL())
	first := start(t, gate.url(), cfg)
	await(t, "the first leads", first.leading.Load)
	second := start(t, server.URL(), cfg)
	await(t, "the second knows all", func() bool { return second.recalled() && len(second.workersView()) == 1 })

	server.Down(t)
	gate.turn(true)
	await(t, "the webhook was told", func() bool { return len(hook.told()) == 1 })
	await(t, "the second noticed, too", func() bool { return second.status().Status == "degraded" })
	server.Restart(t)
	await(t, "the second leads", second.leading.Load)
	gate.turn(false)

	awaitEvents(t, b, natsItself(), outageAndEnd()...)
	for _, m := range []*runner{first, second} {
		await(t, "it shows both ends", func() bool { return len(shown(m)) >= 2 && m.status().Status == "healthy" })
	}
	await(t, "the webhook was told of the end", func() bool { return slices.Contains(hook.told(), "dependency/nats healthy") })
	await(t, "the first would have yielded", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return first.leader.Holder == second.name && first.leaderWords > yieldAfter+1
	})
	for _, m := range []*runner{first, second} {
		if got := shown(m); !slices.Equal(got, outageAndEnd()) {
			t.Errorf("monitor %s shows of the broker: got %q, want %q", m.name, got, outageAndEnd())
		}
	}
	if got := len(hook.distinct()); got != 2 {
		t.Errorf("the webhook: got %q with %d ids, want the outage and its end", hook.told(), got)
	}
	if contains(first.log, "did not miss it") {
		t.Error("the first says that only it was cut off")
	}
}

func TestAMonitorThatWasCutOffAloneSaysSo(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	hook := receive(t)
	cfg := testConfig(hooked(hook.URL))
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "probe", "assistant")
	gate := way(t, server.URL())
	first := start(t, gate.url(), cfg)
	await(t, "the first leads", first.leading.Load)
	second := start(t, server.URL(), cfg)
	await(t, "the second knows all", func() bool { return second.recalled() && len(second.workersView()) == 1 })

	gate.turn(true)
	await(t, "the webhook was told", func() bool { return len(hook.told()) == 1 })
	await(t, "the second leads", second.leading.Load)
	gate.turn(false)

	await(t, "the webhook was told of the end", func() bool { return len(hook.told()) == 2 })
	if got, want := hook.told(), []string{"dependency/nats unhealthy", "dependency/nats healthy"}; !slices.Equal(got, want) {
		t.Errorf("the webhook: got %q, want %q", got, want)
	}
	if got := shown(first); !slices.Equal(got, outageAndEnd()) || first.status().Status != "healthy" {
		t.Errorf("the first shows: got %q and %+v, want that all is well again", got, first.status())
	}
	if got := events(t, b, natsItself()); got != nil {
		t.Errorf("events of the broker on the bus: got %q, want none", got)
	}
}

// A monitor that begins in the outage does not know the broker's last event.
func TestAnOutageThatWasThereBeforeTheMonitorIsToldOnTheBus(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	var last uint64
	for _, s := range []bus.HealthState{bus.StateUnhealthy, bus.StateDegraded} {
		var err error
		if last, err = b.PublishHealth(t.Context(), bus.HealthEvent{Component: natsItself(), Data: bus.HealthData{State: s, Previous: bus.StateHealthy}}, last); err != nil {
			t.Fatal(err)
		}
	}
	server.Down(t)
	m := start(t, server.URL(), cfg)
	await(t, "it tells of the outage", func() bool { return contains(m.log, "alert_unhealthy") })
	server.Restart(t)
	awaitEvents(t, b, natsItself(), "unhealthy<-healthy", "degraded<-healthy", "unhealthy<-degraded", "healthy<-unhealthy")
}

func TestWhatTheBusTellsSettlesAnOutage(t *testing.T) {
	t.Parallel()
	lost := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		promise  string
		state    bus.HealthState
		since    time.Duration // after the loss
		untold   bool
		previous bus.HealthState
	}{
		{"it was told by another", bus.StateUnhealthy, time.Second, false, ""},
		{"it was told before, by clocks that differ", bus.StateUnhealthy, -time.Second, false, ""},
		{"it is over, by another", bus.StateHealthy, time.Minute, false, ""},
		{"the state before it was not known", bus.StateDegraded, -time.Minute, true, bus.StateDegraded},
		{"the last event before it was not known", bus.StateHealthy, -time.Hour, true, bus.StateHealthy},
	} {
		o := outage{event: bus.HealthEvent{Time: lost, Component: natsItself(), Data: bus.HealthData{State: bus.StateUnhealthy, Previous: bus.StateHealthy}}, after: 3}
		untold := o.heard(health.Standing{Component: natsItself(), State: tt.state, Since: lost.Add(tt.since), Sequence: 9})
		if untold != tt.untold || untold && (o.after != 9 || o.event.Data.Previous != tt.previous) {
			t.Errorf("%s: got %v after %d from %s, want %v after 9 from %s", tt.promise, untold, o.after, o.event.Data.Previous, tt.untold, tt.previous)
		}
	}
}

func TestTheIDOfAnOutageIsThatOfAllWhoTellOfIt(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 10, 0, 0, time.UTC)
	id := outageID(at, 7, 0)
	if got := outageID(at.Add(2*time.Second).Local(), 7, 0); got != id {
		t.Errorf("of another monitor: got %q, want %q", got, id)
	}
	for what, other := range map[string]string{
		"after another event": outageID(at, 8, 0), "hours later": outageID(at.Add(3*time.Hour), 7, 0), "after one that was none": outageID(at, 7, 1),
	} {
		if other == id {
			t.Errorf("%s: got %q again, want another", what, other)
		}
	}
	if strings.ContainsAny(id, " \n") {
		t.Errorf("got %q, want one word", id)
	}
}
