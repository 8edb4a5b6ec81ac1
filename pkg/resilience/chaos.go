package resilience

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The environments a [Chaos] knows.
const (
	environmentDevelopment = "development"
	environmentStaging     = "staging"
	environmentProduction  = "production"
)

// ErrChaosRefused is what adding a scenario in production returns.
var ErrChaosRefused = errors.New("chaos is refused in environment production")

// ChaosOptions describe a [Chaos].
type ChaosOptions struct {
	// Environment is development, staging or production. In production every
	// scenario is refused.
	Environment string

	// Seed picks the calls that are hit: with the same seed and scenarios, the
	// n-th call of a service meets the same faults.
	Seed uint64

	// Observer is told of each fault that was injected. It may be nil.
	Observer Observer
}

// Chaos injects faults into the services whose calls pass through its policies.
// Without a scenario for a service its policy is one atomic load. It is safe for
// concurrent use.
type Chaos struct {
	o       ChaosOptions
	spikes  chan Scenario // for Run; one more may wait
	running atomic.Bool
	compute func(time.Duration) // keeps one core busy

	mu        sync.Mutex
	scenarios []*active
	services  map[string]*ChaosPolicy
}

// NewChaos returns a chaos without scenarios, or everything wrong with its
// options.
func NewChaos(o ChaosOptions) (*Chaos, error) {
	p := problems{policy: "chaos"}
	known := []string{environmentDevelopment, environmentStaging, environmentProduction}
	p.unless(slices.Contains(known, o.Environment), "Environment", "is %q; it must be one of %v", o.Environment, known)
	if err := p.err(); err != nil {
		return nil, err
	}
	return &Chaos{o: o, spikes: make(chan Scenario, 1), compute: compute, services: map[string]*ChaosPolicy{}}, nil
}

// Add starts a scenario, in place of one of the same name. In production it
// returns [ErrChaosRefused], otherwise everything wrong with the scenario. A
// [CPUSpike] needs [Chaos.Run] to be running.
func (c *Chaos) Add(s Scenario) error {
	s = s.withDefaults()
	switch {
	case c.o.Environment == environmentProduction:
		return Permanent(ErrChaosRefused)
	case s.Kind == CPUSpike && !c.running.Load():
		return Permanent(fmt.Errorf("chaos scenario %s: Run is not running, and nothing else computes", s.Name))
	}
	if err := s.check(); err != nil {
		return err
	}
	s.Services = slices.Clone(s.Services)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(s.Name)
	c.scenarios = append(c.scenarios, &active{Scenario: s, until: time.Now().Add(s.ExpiresAfter), calls: map[string]*atomic.Uint64{}})
	c.plan()
	return nil
}

// Force makes the scenario of the kind's name hit with that probability, for the
// services given if any. When there is none it is added.
func (c *Chaos) Force(kind ScenarioKind, probability float64, services ...string) error {
	s := Scenario{Kind: kind}
	c.mu.Lock()
	for _, a := range c.scenarios {
		if a.Name == string(kind) {
			s = a.Scenario
		}
	}
	c.mu.Unlock()
	s.Probability = probability
	if probability == 0 { // which would stand for 1
		return Permanent(fmt.Errorf("chaos scenario %s: Probability is 0; remove it instead", kind))
	}
	if len(services) > 0 {
		s.Services = services
	}
	return c.Add(s)
}

// Disable makes every call of a service fail, until Remove of the name
// "disable_service:" and the service, or until it expires.
func (c *Chaos) Disable(service string) error {
	return c.Add(Scenario{Name: string(DisableService) + ":" + service, Kind: DisableService, Services: []string{service}})
}

// Remove ends a scenario and reports whether there was one of that name.
func (c *Chaos) Remove(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.drop(name)
	c.plan()
	return found
}

// Clear ends all scenarios.
func (c *Chaos) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scenarios = nil
	c.plan()
}

// ScenarioStats is a scenario at work.
type ScenarioStats struct {
	Scenario

	Occurred int       // how many calls it hit
	Until    time.Time // when it ends by itself
}

// List returns the scenarios at work, the oldest first.
func (c *Chaos) List() []ScenarioStats {
	c.sweep(time.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []ScenarioStats
	for _, a := range c.scenarios {
		stats := ScenarioStats{Scenario: a.Scenario, Occurred: a.occurred(), Until: a.until}
		stats.Services = slices.Clone(a.Services)
		list = append(list, stats)
	}
	return list
}

// drop removes a scenario. mu is held.
func (c *Chaos) drop(name string) bool {
	before := len(c.scenarios)
	c.scenarios = slices.DeleteFunc(c.scenarios, func(a *active) bool { return a.Name == name })
	return len(c.scenarios) < before
}

// sweep removes what has expired.
func (c *Chaos) sweep(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scenarios = slices.DeleteFunc(c.scenarios, func(a *active) bool { return !now.Before(a.until) })
	c.plan()
}

// plan tells every service which scenarios are at work for it. mu is held.
func (c *Chaos) plan() {
	for name, service := range c.services {
		var faults []fault
		for _, a := range c.scenarios {
			if len(a.Services) > 0 && !slices.Contains(a.Services, name) {
				continue
			}
			if a.calls[name] == nil {
				a.calls[name] = new(atomic.Uint64)
			}
			faults = append(faults, fault{a, a.calls[name]})
		}
		if faults == nil {
			service.faults.Store(nil)
			continue
		}
		service.faults.Store(&faults)
	}
}

// Service returns the policy through which the calls of a service pass. It
// belongs innermost, where the service itself would fail. The same name gives the
// same policy.
func (c *Chaos) Service(name string) *ChaosPolicy {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.services[name]; p != nil {
		return p
	}
	p := &ChaosPolicy{chaos: c, service: name}
	c.services[name] = p
	c.plan()
	return p
}

// Run carries out the CPU spikes that calls set off, until ctx ends; then it
// returns nil. Everything else works without it.
func (c *Chaos) Run(ctx context.Context) error {
	if err := hasContext(ctx); err != nil {
		return err
	}
	if !c.running.CompareAndSwap(false, true) {
		return errRunning("chaos", c.o.Environment)
	}
	defer c.running.Store(false)
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-c.spikes:
			c.spike(ctx, s)
		}
	}
}
