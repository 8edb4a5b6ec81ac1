package config

import (
	"regexp"
	"slices"

	"genesis/pkg/resilience"
)

// The policies known without being configured, and PolicyNone, which stands for
// having none.
const (
	PolicyAPICalls = "api_calls"
	PolicyDatabase = "database"
	PolicyNone     = "none"
)

// Policy is how calls of a provider are kept from doing harm. What is left out does not apply. Each provider has its own counts, whichever agents use it; a bulkhead that has a name is shared.
type Policy struct {
	// Deadline bounds one use of the provider: every attempt and every wait between them. Default: none but the agent's timeout.
	Deadline Duration `yaml:"deadline,omitempty" optional:"true" above:"0s" max:"24h"`
	// Timeout bounds one attempt. Default: none but the deadline.
	Timeout Duration `yaml:"timeout,omitempty" optional:"true" above:"0s" max:"24h"`
	// Retry tries again at once, in the slot. Longer waits are those of the agent's delivery.
	Retry *Retry `yaml:"retry,omitempty" example:"{max_attempts: 3}"`
	// RetryBudget bounds the retries of the provider, those by delivery included. Default, beside retry: one for each five calls, but at least 3 a second.
	RetryBudget *RetryBudget `yaml:"retry_budget,omitempty" example:"{ratio: 0.2}"`
	// Breaker stops calling a provider that fails.
	Breaker *Breaker `yaml:"breaker,omitempty" example:"{failure_threshold: 5}"`
	// RateLimit bounds how often calls start.
	RateLimit *CallRate `yaml:"rate_limit,omitempty" example:"{per_second: 10}"`
	// Bulkhead bounds how many calls of a replica run at once.
	Bulkhead *Bulkhead `yaml:"bulkhead,omitempty" example:"{slots: 4}"`
}

// Retry is how an attempt that failed is repeated within one execution. What is rejected is not waited for: the next rung answers, or the request comes back later.
type Retry struct {
	// MaxAttempts counts the first attempt too. Default: 3.
	MaxAttempts int `yaml:"max_attempts" min:"1" max:"100"`
	// InitialDelay is the pause after the first failure. Default: 1s.
	InitialDelay Duration `yaml:"initial_delay" min:"0s" max:"24h"`
	// MaxDelay is the longest pause; not below initial_delay. A provider that asks for a longer one is not tried again here. Default: 30s.
	MaxDelay Duration `yaml:"max_delay" min:"0s" max:"24h"`
	// BackoffFactor multiplies the pause after each further failure. Default: 2.
	BackoffFactor float64 `yaml:"backoff_factor" min:"1" max:"1000" example:"2"`
	// Jitter spreads the pauses over half to one and a half of themselves. Default: true.
	Jitter bool `yaml:"jitter"`
	// RetryOn lists the errors that are tried again: any, timeout, connection, retry_after, canceled. Empty: any. Default: empty.
	RetryOn []string `yaml:"retry_on,omitempty" example:"[connection, timeout]"`
	// DontRetryOn lists the errors that are not, whatever retry_on says. Default: empty.
	DontRetryOn []string `yaml:"dont_retry_on,omitempty" example:"[canceled]"`
}

// RetryBudget is how many retries a provider may cost.
type RetryBudget struct {
	// Ratio is how many retries there may be for each call. Default: 0.2.
	Ratio float64 `yaml:"ratio" above:"0" max:"10" example:"0.2"`
	// PerSecond is how many retries a second are allowed however few calls there are. Default: 3.
	PerSecond int `yaml:"per_second" min:"1" max:"1000000"`
}

// Breaker is when a provider counts as failed, and when it is tried again.
type Breaker struct {
	// FailureThreshold is how many failures in a row open the breaker. Default: 5, and beside a failure_rate none.
	FailureThreshold int `yaml:"failure_threshold,omitempty" optional:"true" min:"1" max:"1000000"`
	// RecoveryTimeout is how long it stays open before a trial call. Default: 60s.
	RecoveryTimeout Duration `yaml:"recovery_timeout" min:"1ms" max:"24h"`
	// FailureRate opens it when this part of the calls of the window failed: 0.5 is every second. Default: none.
	FailureRate float64 `yaml:"failure_rate,omitempty" optional:"true" above:"0" max:"1" example:"0.5"`
	// Window is how far the rates look back. Default: 60s.
	Window Duration `yaml:"window" min:"100ms" max:"24h"`
	// MinCalls is how many calls a rate needs before it says anything. Default: 20.
	MinCalls int `yaml:"min_calls" min:"1" max:"1000000"`
	// SlowCall is the duration from which a call counts as slow. Default: no call is slow.
	SlowCall Duration `yaml:"slow_call,omitempty" optional:"true" above:"0s" max:"24h"`
	// SlowRate opens it when this part of the calls of the window was slow. Default: 0.5 beside slow_call.
	SlowRate float64 `yaml:"slow_rate,omitempty" optional:"true" above:"0" max:"1" example:"0.5"`
	// Probes is how many trial calls must succeed to close it. Default: 1.
	Probes int `yaml:"probes" min:"1" max:"1000"`
}

// CallRate is how often calls may start.
type CallRate struct {
	// PerSecond is how many calls may start a second, in the long run.
	PerSecond float64 `yaml:"per_second" required:"true" above:"0" max:"1000000" example:"10"`
	// Burst is how many may start at once after a quiet time. Default: one second's worth, at least 1.
	Burst int `yaml:"burst,omitempty" optional:"true" min:"1" max:"1000000"`
	// MaxWait is how long a call may wait for its turn; beyond it the call is rejected. Default: 0s.
	MaxWait Duration `yaml:"max_wait" min:"0s" max:"1h"`
	// Shared makes it the limit of all replicas together. Default: false.
	Shared bool `yaml:"shared"`
}

// Bulkhead is how many calls run at once: so many slots, or as many as the provider turns out to bear (adaptive).
type Bulkhead struct {
	// Name makes providers share one bulkhead: all whose policy names it, with the same settings. Default: each has its own.
	Name string `yaml:"name,omitempty" example:"cpu"`
	// Within names the bulkheads of other policies of which a call takes a slot first, in this order. Default: empty.
	Within []string `yaml:"within,omitempty" example:"[cpu]"`
	// Slots is how many calls run at once.
	Slots int `yaml:"slots,omitempty" optional:"true" min:"1" max:"100000"`
	// Adaptive finds the number of slots from the latency of the calls.
	Adaptive *Adaptive `yaml:"adaptive,omitempty" example:"{floor: 1, ceiling: 50}"`
	// MaxWaiting is how many more calls may wait for a slot; beyond it a call is rejected. Default: 0.
	MaxWaiting int `yaml:"max_waiting" min:"0" max:"100000"`
	// MaxWait is how long one may wait. Default: 30s beside max_waiting.
	MaxWait Duration `yaml:"max_wait,omitempty" optional:"true" above:"0s" max:"1h"`
}

// Adaptive is within which bounds a bulkhead finds its number of slots.
type Adaptive struct {
	// Floor is the least number of slots. Default: 1.
	Floor int `yaml:"floor" min:"1" max:"100000"`
	// Ceiling is the greatest number of slots; not below floor.
	Ceiling int `yaml:"ceiling" required:"true" min:"1" max:"100000" example:"50"`
}

// These are called before the file's values are decoded over them.
func (r *Retry) preset() {
	*r = Retry{MaxAttempts: 3, InitialDelay: seconds(1), MaxDelay: seconds(30), BackoffFactor: 2, Jitter: true}
}

func (b *RetryBudget) preset() { *b = RetryBudget{Ratio: 0.2, PerSecond: 3} }

func (b *Breaker) preset() {
	*b = Breaker{RecoveryTimeout: seconds(60), Window: seconds(60), MinCalls: 20, Probes: 1}
}

func (a *Adaptive) preset() { *a = Adaptive{Floor: 1} }

// builtinPolicies are the guide's.
func builtinPolicies() map[string]Policy {
	var apiCalls, database Policy
	apiCalls.Retry, database.Retry = &Retry{}, &Retry{}
	apiCalls.Breaker, database.Breaker = &Breaker{}, &Breaker{}
	for _, p := range []Policy{apiCalls, database} {
		p.Retry.preset()
		p.Breaker.preset()
	}
	apiCalls.Retry.RetryOn = []string{"connection", "timeout"}
	apiCalls.Breaker.FailureThreshold = 5
	database.Retry.MaxAttempts = 5
	database.Retry.InitialDelay, database.Retry.MaxDelay = seconds(1)/10, seconds(5)
	database.Breaker.FailureThreshold, database.Breaker.RecoveryTimeout = 10, seconds(30)
	return map[string]Policy{PolicyAPICalls: apiCalls, PolicyDatabase: database}
}

// policyName is looser than a provider's: it is never part of a subject.
var policyName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// errorClasses are the classes that a retry can name: the others are never retried.
func errorClasses() []string {
	return slices.DeleteFunc(resilience.ClassNames(), func(name string) bool { return name == "rejected" || name == "permanent" })
}
