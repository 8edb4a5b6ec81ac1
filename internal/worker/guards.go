package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"genesis/internal/config"
	"genesis/internal/telemetry"
	"genesis/pkg/agents"
	"genesis/pkg/resilience"
)

// guards are the policies in which this worker runs its providers: one guard for each,
// whichever agents use it.
type guards struct {
	cfg      *config.Config
	replica  string
	store    resilience.TokenStore
	observer resilience.Observer
	tracing  *telemetry.Tracing // nil: no spans

	breakers  *resilience.Breakers
	chaos     *resilience.Chaos
	limits    []*resilience.SharedRateLimit
	byName    map[string]*guard
	bulkheads map[string]resilience.Policy // those that providers share
}

// guard holds the policies of one provider, outermost first: deadline and retry around
// all attempts; breaker, rate limit, bulkhead, timeout and chaos around each. So every
// attempt counts for the breaker, and waiting for a slot is not billed to the provider.
type guard struct {
	policy  resilience.Chain
	attempt resilience.Chain
	breaker *resilience.Breaker // nil for none
	budget  *resilience.Budget  // nil for none
}

func newGuards(cfg *config.Config, replica string, store resilience.TokenStore, observer resilience.Observer) (*guards, error) {
	chaos, err := resilience.NewChaos(resilience.ChaosOptions{
		Environment: cfg.Environment, Seed: uint64(time.Now().UnixNano()), Observer: observer,
	})
	if err != nil {
		return nil, err
	}
	return &guards{
		cfg: cfg, replica: replica, store: store, observer: observer, chaos: chaos, breakers: &resilience.Breakers{},
		byName: make(map[string]*guard), bulkheads: make(map[string]resilience.Policy),
	}, nil
}

// provider returns the guard of a provider, which it makes when first asked. An error
// is everything wrong with its policy.
func (g *guards) provider(name string) (*guard, error) {
	if made, ok := g.byName[name]; ok {
		return made, nil
	}
	m := &guardMaker{guards: g, name: name, guard: &guard{}}
	if policy := g.cfg.Providers[name].Policy; policy != "" && policy != config.PolicyNone {
		p, ok := g.cfg.Policies[policy]
		if !ok {
			return nil, fmt.Errorf("provider %s: unknown policy %q", name, policy)
		}
		m.make(p)
	}
	m.guard.attempt = append(m.guard.attempt, g.chaos.Service(name))
	if err := errors.Join(m.errs...); err != nil {
		return nil, fmt.Errorf("provider %s: %w", name, err)
	}
	g.byName[name] = m.guard
	return m.guard, nil
}

// checkOrder looks for bulkheads that could wait for each other.
func (g *guards) checkOrder() error {
	chains := make(map[string]resilience.Chain, len(g.byName))
	for name, guard := range g.byName {
		chains[name] = resilience.Chain{guard.policy, guard.attempt}
	}
	return resilience.CheckOrder(chains)
}

// runs are what works beside the calls: each until its context ends.
func (g *guards) runs() []func(context.Context) error {
	runs := []func(context.Context) error{g.chaos.Run}
	for _, l := range g.limits {
		runs = append(runs, l.Run)
	}
	return runs
}

// guarded puts a rung into its provider's policies.
func (g *guard) guarded(r agents.Rung) agents.Rung {
	r.Budget = g.budget
	if len(g.policy) > 0 {
		r.Policy = g.policy
	}
	r.Attempt = g.attempt
	if g.breaker != nil {
		r.When = g.open
	}
	return r
}

// open skips a rung that is shut, before anybody waits or an attempt is counted.
func (g *guard) open(context.Context) error {
	if calls, after := g.breaker.Room(); calls == 0 {
		return resilience.Reject(causeShut, after)
	}
	return nil
}

const causeShut = "breaker open"
