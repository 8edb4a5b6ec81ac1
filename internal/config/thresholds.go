package config

import (
	"maps"
	"reflect"
	"slices"

	"genesis/internal/health"
)

// Thresholds say when something counts as degraded, and when as unhealthy: from that value on. A value of 0 is never.
type Thresholds struct {
	// Lag is how many requests of an agent are not settled. Default: 1000 and 10000.
	Lag CountLevels `yaml:"lag"`
	// OldestAge is how long the oldest of them waits. Default: 1m and 10m.
	OldestAge AgeLevels `yaml:"oldest_age"`
	// DrainTime is how long they will take, in multiples of the agent's timeout. Default: 2 and 10.
	DrainTime FactorLevels `yaml:"drain_time"`
	// ErrorRate is which part of the requests of the last minute failed. Default: 0.1 and 0.5.
	ErrorRate ShareLevels `yaml:"error_rate"`
	// MinRequests is how many requests an error rate needs before it says anything. Default: 10.
	MinRequests int `yaml:"min_requests" min:"1" max:"1000000"`
	// DeadLetters is how many requests became dead letters in the last minute. Default: 1 and 10.
	DeadLetters CountLevels `yaml:"dead_letters"`
	// StreamFull is which part of the agent's queue is used, or of any other stream or the broker's storage. Default: 0.8 and 0.95.
	StreamFull ShareLevels `yaml:"stream_full"`
}

// CountLevels are two numbers, from which on something counts as degraded and as unhealthy.
type CountLevels struct {
	// Degraded is the number from which it is degraded; 0: never.
	Degraded int `yaml:"degraded" min:"0" max:"1000000000"`
	// Unhealthy is the number from which it is unhealthy; not below degraded; 0: never.
	Unhealthy int `yaml:"unhealthy" min:"0" max:"1000000000"`
}

// AgeLevels are two durations, from which on something counts as degraded and as unhealthy.
type AgeLevels struct {
	// Degraded is the duration from which it is degraded; 0s: never.
	Degraded Duration `yaml:"degraded" min:"0s" max:"720h"`
	// Unhealthy is the duration from which it is unhealthy; not below degraded; 0s: never.
	Unhealthy Duration `yaml:"unhealthy" min:"0s" max:"720h"`
}

// FactorLevels are two factors, from which on something counts as degraded and as unhealthy.
type FactorLevels struct {
	// Degraded is the factor from which it is degraded; 0: never.
	Degraded float64 `yaml:"degraded" min:"0" max:"1000000"`
	// Unhealthy is the factor from which it is unhealthy; not below degraded; 0: never.
	Unhealthy float64 `yaml:"unhealthy" min:"0" max:"1000000"`
}

// ShareLevels are two parts of a whole, from which on something counts as degraded and as unhealthy.
type ShareLevels struct {
	// Degraded is the part from which it is degraded; 0: never.
	Degraded float64 `yaml:"degraded" min:"0" max:"1"`
	// Unhealthy is the part from which it is unhealthy; not below degraded; 0: never.
	Unhealthy float64 `yaml:"unhealthy" min:"0" max:"1"`
}

func defaultThresholds() Thresholds {
	return Thresholds{
		Lag:         CountLevels{1000, 10000},
		OldestAge:   AgeLevels{seconds(60), seconds(600)},
		DrainTime:   FactorLevels{2, 10},
		ErrorRate:   ShareLevels{0.1, 0.5},
		MinRequests: 10,
		DeadLetters: CountLevels{1, 10},
		StreamFull:  ShareLevels{0.8, 0.95},
	}
}

// HealthThresholds returns all that verdicts depend on, as the monitor wants it.
func (m Monitor) HealthThresholds() health.Thresholds {
	t := health.Thresholds{
		WorseAfter: m.WorseAfter, BetterAfter: m.BetterAfter,
		Every: m.Thresholds.limits(), Agents: make(map[string]health.Limits, len(m.Agents)),
	}
	for name, own := range m.Agents {
		t.Agents[name] = own.limits()
	}
	return t
}

func (t Thresholds) limits() health.Limits {
	var l health.Limits
	l.Lag.Degraded, l.Lag.Unhealthy = whole(t.Lag.Degraded), whole(t.Lag.Unhealthy)
	l.OldestAge.Degraded, l.OldestAge.Unhealthy = t.OldestAge.Degraded.Std(), t.OldestAge.Unhealthy.Std()
	l.DrainTime.Degraded, l.DrainTime.Unhealthy = t.DrainTime.Degraded, t.DrainTime.Unhealthy
	l.ErrorRate.Degraded, l.ErrorRate.Unhealthy = t.ErrorRate.Degraded, t.ErrorRate.Unhealthy
	l.MinRequests = whole(t.MinRequests)
	l.DeadLetters.Degraded, l.DeadLetters.Unhealthy = whole(t.DeadLetters.Degraded), whole(t.DeadLetters.Unhealthy)
	l.StreamFull.Degraded, l.StreamFull.Unhealthy = t.StreamFull.Degraded, t.StreamFull.Unhealthy
	return l
}

func whole(n int) uint64 { return uint64(max(0, n)) }

// resolveThresholds gives agents the thresholds that they do not set themselves.
func (c *Config) resolveThresholds() {
	if len(c.Monitor.Agents) == 0 {
		c.Monitor.Agents = nil // as it is read back when it was printed
	}
	if len(c.Monitor.Webhook.Headers) == 0 {
		c.Monitor.Webhook.Headers = nil
	}
	for name, own := range c.Monitor.Agents {
		inherit(c, join("monitor.agents", name), reflect.ValueOf(&own).Elem(), reflect.ValueOf(c.Monitor.Thresholds))
		c.Monitor.Agents[name] = own
	}
}

// inherit copies what nobody wrote below the path.
func inherit(c *Config, path string, to, from reflect.Value) {
	for i := range to.NumField() {
		at := join(path, keyOf(to.Type().Field(i)))
		if to.Field(i).Kind() == reflect.Struct {
			inherit(c, at, to.Field(i), from.Field(i))
		} else if !c.wrote(at) {
			to.Field(i).Set(from.Field(i))
		}
	}
}

func (m Monitor) checkThresholds(r *report, agents map[string]Agent) {
	general := reflect.ValueOf(m.Thresholds)
	checkLevels(r, "monitor.thresholds", general, reflect.Value{})
	for _, name := range slices.Sorted(maps.Keys(m.Agents)) {
		path := join("monitor.agents", name)
		if _, known := agents[name]; !known {
			r.unknown(path, "agents", name)
		}
		checkLevels(r, path, reflect.ValueOf(m.Agents[name]), general)
	}
}

// checkLevels checks that each pair of thresholds is in order, and names the one that was
// written. What is as in from was inherited, and is checked there.
func checkLevels(r *report, path string, v, from reflect.Value) {
	for i := range v.NumField() {
		at, field := join(path, keyOf(v.Type().Field(i))), v.Field(i)
		if from.IsValid() && !r.config.wroteBelow(at) && field.Equal(from.Field(i)) {
			r.skip(at)
			r.skip(join(at, "degraded"))
			r.skip(join(at, "unhealthy"))
			continue
		}
		if field.Kind() == reflect.Struct {
			checkLevel(r, at, field, from.IsValid())
		}
	}
}

func checkLevel(r *report, path string, pair reflect.Value, inherits bool) {
	degraded, unhealthy := pair.Field(0), pair.Field(1)
	low, high := join(path, "degraded"), join(path, "unhealthy")
	switch {
	case inherits && !r.config.wrote(low) && r.config.wrote(high):
		r.skip(low)
	case inherits && !r.config.wrote(high) && r.config.wrote(low):
		r.skip(high)
	}
	switch {
	case number(degraded) <= number(unhealthy) || number(unhealthy) <= 0: // the bounds are checked elsewhere
	case r.config.wrote(high) && !r.config.wrote(low):
		r.add(high, "must be at least degraded, which is %v, got %v", degraded.Interface(), unhealthy.Interface())
	default:
		r.add(low, "must be at most unhealthy, which is %v, got %v", unhealthy.Interface(), degraded.Interface())
	}
}

// wroteBelow reports whether the value at a path, or one in it, was set.
func (c *Config) wroteBelow(path string) bool {
	return c.wrote(path) || c.wrote(join(path, "degraded")) || c.wrote(join(path, "unhealthy"))
}
