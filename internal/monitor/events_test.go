package monitor

import (
	"fmt"
	"testing"

	"genesis/internal/config"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// idle is a worker without work.
func idle() bus.AgentLoad { return bus.AgentLoad{Slots: 10} }

func TestAnAgentThatLosesItsWorkerIsToldOfOnceAndRecovers(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	end := work(t, server, "w1", idle(), "echo", "probe", "assistant")
	m := start(t, server.URL(), cfg)
	await(t, "the worker is seen", func() bool { return len(m.workersView()) == 1 })

	end(true)

	awaitEvents(t, b, bus.Component{Kind: bus.KindWorker, Name: "w1"}, "unhealthy<-healthy")
	awaitEvents(t, b, agentEcho(), "unhealthy<-healthy")
	work(t, server, "w2", idle(), "echo", "probe", "assistant")
	awaitEvents(t, b, agentEcho(), "unhealthy<-healthy", "healthy<-unhealthy")
	if got := events(t, b, natsItself()); got != nil {
		t.Errorf("events of the broker: got %q, want none", got)
	}
}

func TestAWorkerThatLeavesInGoodOrderIsNotLost(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	work(t, server, "stays", idle(), "echo", "probe", "assistant")
	end := work(t, server, "leaves", idle(), "echo", "probe", "assistant")
	m := start(t, server.URL(), cfg)
	await(t, "both workers are seen", func() bool { return len(m.workersView()) == 2 })

	end(false)

	await(t, "one worker is left", func() bool { return len(m.workersView()) == 1 })
	await(t, "two rounds passed", passed(m, 2))
	if got := events(t, b, bus.Component{Kind: bus.KindWorker, Name: "leaves"}); got != nil {
		t.Errorf("events of a worker that left: got %q, want none", got)
	}
}

func TestAnOutageOfTheBrokerIsOneEventAndItsEndAnother(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	work(t, server, "w1", idle(), "echo", "probe", "assistant")
	first, second := start(t, server.URL(), cfg), start(t, server.URL(), cfg)
	await(t, "one of them leads", func() bool { return first.leading.Load() || second.leading.Load() })

	server.Down(t)
	for _, m := range []*runner{first, second} {
		await(t, "the status tells of the outage", func() bool { return m.status().Status == "degraded" })
		if got := m.status().AffectedServices; fmt.Sprint(got) != "[assistant echo nats probe]" {
			t.Errorf("affected services: got %q, want the agents and nats", got)
		}
		var ready struct{ Checks checks }
		if code := get(t, m.URL()+"/health/ready", nil, &ready); code != 200 || ready.Checks.NATS {
			t.Errorf("readiness without the broker: got %d %+v, want 200 and that NATS is away", code, ready.Checks)
		}
	}
	server.Restart(t)

	awaitEvents(t, b, natsItself(), "unhealthy<-healthy", "healthy<-unhealthy")
	await(t, "all is well", func() bool { return first.status().Status == "healthy" && second.status().Status == "healthy" })
	await(t, "rounds passed", passed(first, 10))
	for _, c := range []bus.Component{agentEcho(), {Kind: bus.KindWorker, Name: "w1"}} {
		if got := events(t, b, c); got != nil {
			t.Errorf("events of %s: got %q, want none: the broker was away, and nothing else was wrong", c, got)
		}
	}
	if got := events(t, b, natsItself()); len(got) != 2 {
		t.Errorf("events of the broker: got %q, want two", got)
	}
}

func TestAMonitorThatStartsWithoutTheBrokerServesAndFindsIt(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	server.Down(t)
	m := start(t, server.URL(), cfg)
	await(t, "the outage is told", func() bool { return m.status().Status == "degraded" })
	var page string
	if code := get(t, m.URL()+"/", nil, &page); code != 200 {
		t.Errorf("the page without the broker: got %d, want 200", code)
	}
	var detailed struct {
		Infrastructure struct {
			NATS struct {
				Healthy bool
				Since   string
			}
		}
	}
	if code := get(t, m.URL()+"/health/detailed", map[string][]string{"Authorization": {"Bearer secret"}}, &detailed); code != 200 || detailed.Infrastructure.NATS.Healthy || detailed.Infrastructure.NATS.Since == "" {
		t.Errorf("details without the broker: got %d %+v, want 200, not healthy, and since when", code, detailed)
	}

	server.Restart(t)

	await(t, "it leads", func() bool { return m.leading.Load() })
	await(t, "it sees the agents", func() bool { return len(lagged(m, "")) == 3 })
}

func TestDetailsNeedTheOperatorToken(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	m := start(t, server.URL(), cfg)
	for token, want := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer secret": 200} {
		if got := get(t, m.URL()+"/health/detailed", map[string][]string{"Authorization": {token}}, nil); got != want {
			t.Errorf("token %q: got %d, want %d", token, got, want)
		}
	}
}

func TestAFollowerSaysThatTheLeaderJudgesByOtherThresholds(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	leader := start(t, server.URL(), testConfig())
	await(t, "the first leads", func() bool { return leader.leading.Load() })
	follower := start(t, server.URL(), testConfig(func(c *config.Config) { c.Monitor.Thresholds.Lag.Degraded = 7 }))
	await(t, "the follower has said so", func() bool {
		return contains(follower.log, "judges by other thresholds", leader.name)
	})
	if contains(leader.log, "other thresholds") {
		t.Error("the leader complains about the follower")
	}
}
