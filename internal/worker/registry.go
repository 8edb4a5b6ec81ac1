package worker

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"genesis/internal/config"
	"genesis/internal/telemetry"
	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

// newRegistry makes the agents of a configuration. A provider and its policies are made
// once, however many rungs refer to it.
func newRegistry(g *guards, exit func(int)) (*agents.Registry, error) {
	cfg := g.cfg
	providers := make(map[string]agents.Agent, len(cfg.Providers))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		provider, err := newProvider(cfg.Providers[name], cfg.Environment, exit)
		if err != nil {
			errs = append(errs, fmt.Errorf("provider %s: %w", name, err))
			continue
		}
		providers[name] = provider
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	registry := agents.New()
	for _, name := range cfg.AgentNames() {
		ladder, err := newLadder(name, cfg.Agents[name].Ladder, providers, g)
		if err != nil {
			errs = append(errs, fmt.Errorf("agent %s: %w", name, err))
			continue
		}
		errs = append(errs, registry.Add(name, ladder))
	}
	if err := errors.Join(append(errs, g.checkOrder())...); err != nil {
		return nil, err
	}
	return registry, nil
}

func newProvider(p config.Provider, environment string, exit func(int)) (agents.Agent, error) {
	switch p.Kind {
	case config.KindEcho:
		return agents.Echo(), nil
	case config.KindSimulated:
		return agents.Simulated(), nil
	case config.KindProbe:
		return agents.Probe(agents.ProbeOptions{AllowExit: environment != config.Production, Exit: exit}), nil
	case config.KindHTTP:
		return agents.NewHTTP(agents.HTTPOptions{URL: p.URL, Headers: p.Headers, MaxResponse: int64(p.MaxResponse), Inject: telemetry.Inject})
	}
	return nil, fmt.Errorf("unknown kind %q", p.Kind)
}

func newLadder(agent string, rungs []config.Rung, providers map[string]agents.Agent, g *guards) (*agents.Ladder, error) {
	o := agents.LadderOptions{Name: agent, Observer: g.observer}
	var errs []error
	for _, r := range rungs {
		rung := agents.Rung{Name: r.Rung, Provider: r.Provider, MinTime: r.MinTime.Std()}
		if r.Rung == config.RungStatic {
			rung.Agent = agents.Static(r.Text)
		} else if rung.Agent = providers[r.Provider]; rung.Agent == nil {
			errs = append(errs, fmt.Errorf("rung %s: unknown provider %q", r.Rung, r.Provider))
		} else if guard, err := g.provider(r.Provider); err != nil {
			errs = append(errs, fmt.Errorf("rung %s: %w", r.Rung, err))
		} else {
			rung = traced(guard.guarded(rung), g.tracing.Attempts(agent, r.Rung, r.Provider))
		}
		o.Rungs = append(o.Rungs, rung)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return agents.NewLadder(o)
}

// traced puts each attempt of a rung into a span; nil makes none.
func traced(r agents.Rung, span resilience.Policy) agents.Rung {
	if span != nil {
		r.Attempt = resilience.Chain{span, r.Attempt}
	}
	return r
}
