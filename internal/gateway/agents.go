package gateway

import (
	"context"
	"slices"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// States of an agent besides those that the monitor gives.
const (
	stateUnknown     = "unknown"
	stateUnavailable = "unavailable"
)

// An AgentView is what GET /v1/agents says of an agent.
type AgentView struct {
	Name              string     `json:"name" doc:"The agent's name"`
	State             string     `json:"state" enum:"healthy,degraded,unhealthy,unknown,unavailable" doc:"As the monitor judges it; unknown: nobody can tell; unavailable: its queue cannot be read right now"`
	Reason            string     `json:"reason,omitempty" doc:"Why it is not healthy"`
	Since             *time.Time `json:"since,omitempty" doc:"Since when it is in that state, if the monitor says"`
	EstimatedRecovery *time.Time `json:"estimated_recovery,omitempty" doc:"When it should be over, if the monitor says"`
	Workers           *int       `json:"workers" nullable:"true" doc:"Workers that take its requests; 0: requests are accepted, and wait; null when it is not known"`
	Slots             *int       `json:"slots" nullable:"true" doc:"As many requests can they execute at once; null when it is not known"`
	SlotsInUse        *int       `json:"slots_in_use" nullable:"true" doc:"As many do they execute; null when it is not known"`
	Lag               *int64     `json:"lag" nullable:"true" doc:"Requests not settled yet, in all lanes; null when that is not known"`
	Lanes             []LaneView `json:"lanes" nullable:"false" doc:"Its lanes, the more urgent first"`
	Error             string     `json:"error,omitempty" doc:"Why it is unavailable"`
}

// A LaneView is the lag of one lane.
type LaneView struct {
	Lane        string  `json:"lane" enum:"interactive,batch" doc:"The lane"`
	Pending     uint64  `json:"pending" doc:"Requests not yet delivered to a worker"`
	InFlight    uint64  `json:"in_flight" doc:"Requests that are executed or wait for their next attempt"`
	Lag         uint64  `json:"lag" doc:"The sum of both"`
	Redelivered uint64  `json:"redelivered" doc:"Requests in flight that were delivered before"`
	OldestAge   float64 `json:"oldest_age_s" doc:"Age of the oldest request in seconds"`
}

// views are all agents: their lag, who serves them, and how they are.
func (s *Server) views(ctx context.Context) ([]AgentView, error) {
	lags, err := s.agents.lags(ctx)
	if err != nil {
		return nil, err
	}
	views := slices.Clone(lags)
	services, known := s.watch.services()
	said, why := s.watch.overview()
	ill := ills(said)
	for i := range views {
		v := &views[i]
		if v.State != stateUnavailable {
			v.judge(said, why, ill)
		}
		if known {
			v.serve(services[v.Name])
		}
	}
	return views, nil
}

// ills are the agents that the monitor says are not well, by name.
func ills(said *health.Overview) map[string]health.Ill {
	if said == nil {
		return nil
	}
	byName := make(map[string]health.Ill)
	for _, ill := range said.Components {
		if c, err := bus.ParseComponent(ill.Component); err == nil && c.Kind == bus.KindAgent {
			byName[c.Name] = ill
		}
	}
	return byName
}

// judge takes the monitor's word for an agent.
func (v *AgentView) judge(said *health.Overview, why string, ill map[string]health.Ill) {
	if said == nil {
		v.State, v.Reason = stateUnknown, why
		return
	}
	if i, is := ill[v.Name]; is {
		v.State, v.Reason, v.EstimatedRecovery = string(i.State), i.Reason, i.EstimatedRecovery
		if !i.Since.IsZero() {
			v.Since = &i.Since
		}
		return
	}
	v.State = string(bus.StateHealthy)
	switch {
	case slices.Contains(said.AffectedServices, v.Name):
		v.State, v.Reason = string(bus.StateDegraded), "the monitor names it among those that suffer: "+said.Message
	case said.More > 0: // the monitor names the worst only
		v.State, v.Reason = stateUnknown, "more is not well than the monitor tells at once: ask the monitor"
	}
}

// serve says who serves the agent, which the monitor may not have judged yet.
func (v *AgentView) serve(by service) {
	v.Workers, v.Slots, v.SlotsInUse = &by.workers, &by.slots, &by.inUse
	if by.workers > 0 || v.State == stateUnavailable || v.State == string(bus.StateUnhealthy) {
		return
	}
	const nobody = "no worker serves it: its requests wait"
	if v.State == stateUnknown {
		v.Reason += "; " + nobody
		return
	}
	v.State, v.Reason, v.Since, v.EstimatedRecovery = string(bus.StateUnhealthy), nobody, nil, nil
}
