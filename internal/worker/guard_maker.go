package worker

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"genesis/internal/config"
	"genesis/pkg/resilience"
)

// callersWaiting bounds how many calls of a replica may wait for a shared rate limit.
const callersWaiting = 1000

// guardMaker makes the policies of one provider from its configuration.
type guardMaker struct {
	*guards
	name  string
	guard *guard
	errs  []error
}

func (m *guardMaker) make(p config.Policy) {
	g := m.guard
	if p.Deadline > 0 {
		g.policy = append(g.policy, resilience.Deadline{Limit: p.Deadline.Std(), Name: m.name, Observer: m.observer})
	}
	if p.Retry != nil || p.RetryBudget != nil {
		g.budget = m.budget(p.RetryBudget)
	}
	if p.Retry != nil {
		g.policy = append(g.policy, m.retry(p.Retry))
	}
	if p.Breaker != nil {
		g.breaker = m.breaker(p.Breaker)
		g.attempt = append(g.attempt, g.breaker)
	}
	if p.RateLimit != nil {
		g.attempt = append(g.attempt, m.rateLimit(p.RateLimit))
	}
	if p.Bulkhead != nil {
		for _, name := range p.Bulkhead.Within {
			g.attempt = append(g.attempt, m.within(name))
		}
		g.attempt = append(g.attempt, m.bulkhead(p.Bulkhead))
	}
	if p.Timeout > 0 {
		g.attempt = append(g.attempt, resilience.Timeout{Limit: p.Timeout.Std(), Name: m.name, Observer: m.observer})
	}
}

func (m *guardMaker) note(err error) {
	if err != nil {
		m.errs = append(m.errs, err)
	}
}

func (m *guardMaker) budget(c *config.RetryBudget) *resilience.Budget {
	o := resilience.BudgetOptions{Name: m.name}
	if c != nil {
		o.Ratio, o.MinPerSecond = c.Ratio, c.PerSecond
	}
	b, err := resilience.NewBudget(o)
	m.note(err)
	return b
}

// retry never waits for what was rejected: another rung may answer, and a slot is no
// place to wait for a breaker.
func (m *guardMaker) retry(c *config.Retry) resilience.Policy {
	on, err := resilience.ParseClasses(c.RetryOn...)
	m.note(err)
	not, err := resilience.ParseClasses(c.DontRetryOn...)
	m.note(err)
	r, err := resilience.NewRetry(resilience.RetryOptions{
		Name:          m.name,
		MaxAttempts:   c.MaxAttempts,
		InitialDelay:  written(c.InitialDelay),
		MaxDelay:      written(c.MaxDelay),
		BackoffFactor: c.BackoffFactor,
		Jitter:        c.Jitter,
		RetryOn:       on,
		DontRetryOn:   append(slices.Clip(not), resilience.Rejected),
		Budget:        m.guard.budget,
		Observer:      m.observer,
	})
	m.note(err)
	return r
}

func (m *guardMaker) breaker(c *config.Breaker) *resilience.Breaker {
	b, err := resilience.NewBreaker(resilience.BreakerOptions{
		Name:             m.name,
		FailureThreshold: c.FailureThreshold,
		FailureRate:      c.FailureRate,
		SlowCall:         c.SlowCall.Std(),
		SlowRate:         c.SlowRate,
		Window:           c.Window.Std(),
		MinCalls:         c.MinCalls,
		RecoveryTimeout:  c.RecoveryTimeout.Std(),
		Probes:           c.Probes,
		Observer:         m.observer,
	})
	if err == nil {
		err = m.breakers.Add(b)
	}
	m.note(err)
	return b
}

func (m *guardMaker) rateLimit(c *config.CallRate) resilience.Policy {
	if !c.Shared {
		l, err := resilience.NewRateLimit(resilience.RateLimitOptions{
			Name: m.name, PerSecond: c.PerSecond, Burst: c.Burst, MaxWait: c.MaxWait.Std(), Observer: m.observer,
		})
		m.note(err)
		return l
	}
	o := resilience.SharedRateLimitOptions{
		Name: m.name, PerSecond: c.PerSecond, Burst: c.Burst, Observer: m.observer, Store: m.store, Replica: m.replica,
	}
	if c.MaxWait > 0 {
		o.MaxWait, o.MaxWaiting = c.MaxWait.Std(), callersWaiting
	}
	l, err := resilience.NewSharedRateLimit(o)
	m.note(err)
	if err == nil {
		m.limits = append(m.limits, l)
	}
	return l
}

// within is the bulkhead of that name, of another policy.
func (m *guardMaker) within(name string) resilience.Policy {
	for _, policy := range slices.Sorted(maps.Keys(m.cfg.Policies)) {
		if b := m.cfg.Policies[policy].Bulkhead; b != nil && b.Name == name {
			return m.bulkhead(b)
		}
	}
	m.note(fmt.Errorf("unknown bulkhead %q", name))
	return nil
}

// bulkhead makes one for the provider, or the one it shares with others.
func (m *guardMaker) bulkhead(c *config.Bulkhead) resilience.Policy {
	if shared, ok := m.bulkheads[c.Name]; ok {
		return shared
	}
	name := m.name
	if c.Name != "" {
		name = c.Name
	}
	b, err := newBulkhead(name, c, m.observer)
	m.note(err)
	if c.Name != "" && err == nil {
		m.bulkheads[c.Name] = b
	}
	return b
}

func newBulkhead(name string, c *config.Bulkhead, observer resilience.Observer) (resilience.Policy, error) {
	var wait time.Duration
	if c.MaxWaiting > 0 {
		wait = c.MaxWait.Std()
	}
	if a := c.Adaptive; a != nil {
		return resilience.NewAdaptiveBulkhead(resilience.AdaptiveOptions{
			Name: name, Floor: a.Floor, Ceiling: a.Ceiling, MaxWaiting: c.MaxWaiting, MaxWait: wait, Observer: observer,
		})
	}
	return resilience.NewBulkhead(resilience.BulkheadOptions{
		Name: name, Slots: c.Slots, MaxWaiting: c.MaxWaiting, MaxWait: wait, Observer: observer,
	})
}
