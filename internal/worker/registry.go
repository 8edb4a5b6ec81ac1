package worker

import (
	"fmt"
	"maps"
	"slices"

	"genesis/internal/config"
	"genesis/pkg/agents"
)

// newRegistry makes the agents of a configuration. A provider is made once, however
// many rungs refer to it.
func newRegistry(cfg *config.Config, exit func(int)) (*agents.Registry, error) {
	providers := make(map[string]agents.Agent, len(cfg.Providers))
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		provider, err := newProvider(cfg.Providers[name], cfg.Environment, exit)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", name, err)
		}
		providers[name] = provider
	}
	registry := agents.New()
	for _, name := range cfg.AgentNames() {
		ladder, err := newLadder(cfg.Agents[name].Ladder, providers)
		if err != nil {
			return nil, fmt.Errorf("agent %s: %w", name, err)
		}
		if err := registry.Add(name, ladder); err != nil {
			return nil, err
		}
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
		return agents.NewHTTP(agents.HTTPOptions{URL: p.URL, Headers: p.Headers, MaxResponse: int64(p.MaxResponse)})
	}
	return nil, fmt.Errorf("unknown kind %q", p.Kind)
}

func newLadder(rungs []config.Rung, providers map[string]agents.Agent) (agents.Ladder, error) {
	ladder := make(agents.Ladder, 0, len(rungs))
	for _, r := range rungs {
		rung := agents.Rung{Name: r.Rung, Provider: r.Provider}
		if r.Rung == config.RungStatic {
			rung.Agent = agents.Static(r.Text)
		} else if rung.Agent = providers[r.Provider]; rung.Agent == nil {
			return nil, fmt.Errorf("rung %s: unknown provider %q", r.Rung, r.Provider)
		}
		ladder = append(ladder, rung)
	}
	return ladder, nil
}
