package monitor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"genesis/internal/health"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// lagged is what a monitor knows of one agent or all, with five rounds of history.
func lagged(m *runner, agent string) []health.AgentLag {
	r, _ := m.lag(agent, 5)
	return r.Agents
}

func TestTheLagOfAllOrOneAgentIsTold(t *testing.T) {
	t.Parallel()
	server, cfg := bustest.Start(t), testConfig()
	b := connect(t, server, cfg)
	work(t, server, "w1", bus.AgentLoad{Slots: 4, InUse: 1, Requests: 20, Errors: 1}, "echo")
	for i := range 3 {
		if _, err := b.Publish(t.Context(), bus.Envelope{Agent: "echo", Lane: bus.Lanes()[i%2], Request: bus.Request{Prompt: "hi"}}); err != nil {
			t.Fatal(err)
		}
	}
	m := start(t, server.URL(), cfg)
	lag := func(query string) (r health.LagReport) {
		t.Helper()
		if code := get(t, m.URL()+"/v1/lag"+query, nil, &r); code != http.StatusOK {
			t.Fatalf("GET /v1/lag%s: got %d, want 200", query, code)
		}
		return r
	}
	await(t, "it has seen the worker, and some rounds", func() bool {
		echo := lagged(m, "echo")
		return len(echo) == 1 && echo[0].Workers == 1 && len(echo[0].History) == 5
	})

	r := lag("")
	var names []string
	for _, a := range r.Agents {
		names = append(names, a.Agent)
	}
	if fmt.Sprint(names) != "[assistant echo probe]" || r.Agents[1].History != nil || r.Monitor != m.name || r.Interval != 0.1 {
		t.Errorf("without a name: got %q in %+v, want the three agents, without history", names, r)
	}
	r = lag("?agent=echo&history=2")
	if len(r.Agents) != 1 || len(r.Agents[0].History) != 2 || r.Agents[0].History[1].Lag != 3 {
		t.Fatalf("one agent: got %+v, want echo with two rounds of history", r)
	}
	e := r.Agents[0]
	if e.Lag != 3 || len(e.Lanes) != 2 || e.Lanes[0].Lag != 2 || e.Lanes[1].Pending != 1 || e.Slots != 4 || e.SlotsInUse != 1 || e.ErrorRate != 0.05 || e.State != bus.StateHealthy {
		t.Errorf("echo: got %+v, want a lag of 3, 2 of it interactive, 1 of 4 slots in use, a twentieth of errors, healthy", e)
	}
	if e.DrainTime != nil || e.ServiceRate == nil || *e.ServiceRate != 0 {
		t.Errorf("echo, of which nothing is settled: got drain time %v and service rate %v, want none and 0", e.DrainTime, e.ServiceRate)
	}
	if code := get(t, m.URL()+"/v1/lag?agent=nobody", nil, nil); code != http.StatusNotFound {
		t.Errorf("an agent that is not there: got %d, want 404", code)
	}

	server.Down(t)
	await(t, "it has noticed the outage", func() bool { return shown(m) != nil })
	for _, query := range []string{"", "?agent=echo", "?agent=nobody"} {
		var problem struct{ Detail string }
		if code := get(t, m.URL()+"/v1/lag"+query, nil, &problem); code != http.StatusServiceUnavailable || problem.Detail == "" {
			t.Errorf("GET /v1/lag%s while the broker is away: got %d %s, want 503: nobody knows", query, code, problem.Detail)
		}
	}
	if _, err := m.commandLag(nil); err == nil {
		t.Error("the command while the broker is away: got no error")
	}
	server.Restart(t)
	await(t, "it sees again", func() bool { return len(lagged(m, "")) == 3 })
	if r := lag("?agent=echo&history=100"); len(r.Agents[0].History) < 5 {
		t.Errorf("history after an outage: got %d rounds, want those from before", len(r.Agents[0].History))
	}
	if _, err := m.commandLag(json.RawMessage(`{"agent":7}`)); err == nil {
		t.Error("a command that is none: got no error")
	}
}
