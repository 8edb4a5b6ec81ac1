package config

import (
	"maps"
	"math"
	"reflect"
	"slices"
)

func (c *Config) checkPolicies(r *report) {
	shared := make(map[string]string) // the first policy whose bulkhead has that name
	for _, name := range slices.Sorted(maps.Keys(c.Policies)) {
		path := join("policies", name)
		if !policyName.MatchString(name) || name == PolicyNone {
			r.add(path, "%s cannot name a policy; use a small letter, then up to 31 small letters, digits, _ and -, and not none, which means no policy",
				quote(name))
		}
		p := c.Policies[name]
		p.check(r, path)
		if p.Bulkhead != nil && p.Bulkhead.Name != "" {
			c.checkShared(r, shared, name)
		}
	}
	c.checkOrder(r, shared)
}

// checkShared compares a bulkhead with the first one of its name.
func (c *Config) checkShared(r *report, shared map[string]string, policy string) {
	b := c.Policies[policy].Bulkhead
	at := join(join("policies", policy), "bulkhead")
	if !policyName.MatchString(b.Name) {
		r.add(join(at, "name"), "%s cannot name a bulkhead; use a small letter, then up to 31 small letters, digits, _ and -", quote(b.Name))
	}
	first, known := shared[b.Name]
	if !known {
		shared[b.Name] = policy
	} else if !reflect.DeepEqual(b, c.Policies[first].Bulkhead) {
		r.add(at, "the bulkhead %s is described otherwise in policies.%s; policies that share one must say the same", quote(b.Name), first)
	}
}

func (p Policy) check(r *report, path string) {
	if p.Deadline > 0 && p.Timeout > p.Deadline {
		r.add(join(path, "timeout"), "must be at most deadline %s, got %s", p.Deadline, p.Timeout)
	}
	if p.Retry != nil {
		p.Retry.check(r, join(path, "retry"))
	}
	if p.Breaker != nil {
		p.Breaker.check(r, join(path, "breaker"))
	}
	if p.RateLimit != nil {
		p.RateLimit.check(r, join(path, "rate_limit"))
	}
	if p.Bulkhead != nil {
		p.Bulkhead.check(r, join(path, "bulkhead"))
	}
}

func (r *Retry) check(to *report, path string) {
	if r.InitialDelay > r.MaxDelay {
		to.add(join(path, "initial_delay"), "must be at most max_delay %s, got %s", r.MaxDelay, r.InitialDelay)
	}
	known := errorClasses()
	for _, list := range []struct {
		key     string
		classes []string
	}{{"retry_on", r.RetryOn}, {"dont_retry_on", r.DontRetryOn}} {
		for i, class := range list.classes {
			at := index(join(path, list.key), i)
			switch {
			case class == "rejected" || class == "permanent":
				to.add(at, "%s is never tried again here; remove it", class)
			case !slices.Contains(known, class):
				to.add(at, "unknown error class %s%s", quote(class), didYouMean(class, known))
			case list.key == "retry_on" && slices.Contains(r.DontRetryOn, class):
				to.add(at, "%s is in dont_retry_on too; remove one", class)
			}
		}
	}
}

func (b Breaker) check(r *report, path string) {
	if b.FailureThreshold == 0 && b.FailureRate == 0 {
		r.add(join(path, "failure_threshold"), "must be from 1 to 1000000, got 0")
	}
	if b.SlowRate > 0 && b.SlowCall == 0 {
		r.add(join(path, "slow_rate"), "needs slow_call: without it no call is slow")
	}
}

func (l CallRate) check(r *report, path string) {
	// What the replicas lease at a time has to fit.
	if least := int(math.Ceil(l.PerSecond / 5)); l.Shared && l.Burst > 0 && l.Burst < least && l.PerSecond <= 1e6 {
		r.add(join(path, "burst"), "must be at least %d, a fifth of per_second, when shared; got %d", least, l.Burst)
	}
}

func (b Bulkhead) check(r *report, path string) {
	switch {
	case b.Slots == 0 && b.Adaptive == nil && !r.config.wrote(join(path, "slots")):
		r.add(path, "needs slots or adaptive; write for example slots: 4")
	case b.Slots != 0 && b.Adaptive != nil:
		r.add(join(path, "adaptive"), "slots is there too; remove one")
	}
	if a := b.Adaptive; a != nil && a.Ceiling > 0 && a.Floor > a.Ceiling {
		r.add(join(join(path, "adaptive"), "floor"), "must be at most ceiling %d, got %d", a.Ceiling, a.Floor)
	}
	if b.MaxWait > 0 && b.MaxWaiting == 0 {
		r.add(join(path, "max_wait"), "needs max_waiting: without it no call waits")
	}
}

// checkPolicy looks a provider's policy up.
func (p Provider) checkPolicy(r *report, path string) {
	if _, ok := r.config.Policies[p.Policy]; !ok && p.Policy != PolicyNone {
		r.unknown(join(path, "policy"), "policies", p.Policy)
	}
}
