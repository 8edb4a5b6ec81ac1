package config

// The rungs of a ladder, best answer first. RungCache is reserved: this version
// refuses it.
const (
	RungPrimary  = "primary"
	RungFallback = "fallback"
	RungCache    = "cache"
	RungStatic   = "static"
)

// Agent is what callers send requests to: a ladder of ways to answer, and the
// bounds within which it is climbed.
type Agent struct {
	// Slots is how many requests one replica executes at once. Default: 10.
	Slots int `yaml:"slots" min:"1" max:"10000"`
	// ReservedInteractive is how many slots only the interactive lane may use, at most slots - 1; -1 is one in five. Default: -1.
	ReservedInteractive int `yaml:"reserved_interactive" min:"-1" max:"9999"`
	// Timeout bounds one execution. Default: defaults.timeout.
	Timeout Duration `yaml:"timeout" above:"0s" max:"24h"`
	// AckWait is how long a worker may be silent before it is taken for dead and its request given to another. Default: 30s.
	AckWait Duration `yaml:"ack_wait" min:"100ms" max:"24h" why:"workers show that they live several times within it, and a shorter one takes a brief pause for a death"`
	// Delivery is how failed attempts are repeated.
	Delivery Delivery `yaml:"delivery"`
	// MaxPending is how many requests may wait or run; beyond it new ones get 503. Default: 10000.
	MaxPending int `yaml:"max_pending" min:"1" max:"1000000000"`
	// Ladder is the ways to answer, in the order they are tried.
	Ladder []Rung `yaml:"ladder" required:"true" example:"[{rung: primary, provider: echo}]"`
}

// Delivery is how failed attempts are repeated, by the broker: no slot is held
// between two attempts.
type Delivery struct {
	// MaxAttempts is how many attempts a request gets before it is a dead letter. Default: 5.
	MaxAttempts int `yaml:"max_attempts" min:"1" max:"1000"`
	// InitialDelay is the pause after the first failed attempt. Default: 1s.
	InitialDelay Duration `yaml:"initial_delay" min:"0s" max:"24h"`
	// MaxDelay is the longest pause; not below initial_delay. Default: 5m.
	MaxDelay Duration `yaml:"max_delay" min:"0s" max:"24h"`
	// BackoffFactor multiplies the pause after each further failure. Default: 2.
	BackoffFactor float64 `yaml:"backoff_factor" min:"1" max:"1000" example:"2"`
	// Jitter spreads the pauses, so that requests which failed together do not return together. Default: true.
	Jitter bool `yaml:"jitter"`
}

// Rung is one way to answer.
type Rung struct {
	// Rung is its rank: primary (the first), fallback, or static (the last, a fixed text).
	Rung string `yaml:"rung" required:"true" enum:"primary,fallback,static" example:"primary"`
	// Provider names what answers; for every rung but static.
	Provider string `yaml:"provider,omitempty" example:"echo"`
	// MinTime is how much time the rung needs; with less left of the timeout it is skipped. Default: none.
	MinTime Duration `yaml:"min_time,omitempty" optional:"true" above:"0s" max:"24h"`
	// Text is the answer of the rung static.
	Text string `yaml:"text,omitempty" example:"The service is busy; please try again shortly."`
}

// NewAgent returns an agent with every default and one primary rung on the named
// provider. Its Timeout is unset: Load and Default fill it in.
func NewAgent(provider string) Agent {
	var a Agent
	a.preset()
	a.Ladder = []Rung{{Rung: RungPrimary, Provider: provider}}
	return a
}

// preset is called before the file's entry is decoded over it.
func (a *Agent) preset() {
	*a = Agent{
		Slots:               10,
		ReservedInteractive: -1,
		AckWait:             seconds(30),
		MaxPending:          10000,
		Delivery: Delivery{
			MaxAttempts:   5,
			InitialDelay:  seconds(1),
			MaxDelay:      seconds(300),
			BackoffFactor: 2,
			Jitter:        true,
		},
	}
}

// ReservedSlots returns how many of the slots only the interactive lane may use:
// as configured, else one in five, but at least 1 of 2 and none of 1.
func (a Agent) ReservedSlots() int {
	switch {
	case a.ReservedInteractive >= 0:
		return a.ReservedInteractive
	case a.Slots < 2:
		return 0
	}
	return max(1, a.Slots/5)
}

func (a Agent) check(r *report, path string, providers map[string]Provider) {
	if a.ReservedInteractive >= a.Slots && a.Slots >= 1 {
		r.add(join(path, "reserved_interactive"), "must be from -1 to %d, one less than slots, so that batch has a slot; got %d",
			a.Slots-1, a.ReservedInteractive)
	}
	if d := a.Delivery; d.InitialDelay > d.MaxDelay {
		r.add(join(join(path, "delivery"), "initial_delay"), "must be at most max_delay %s, got %s", d.MaxDelay, d.InitialDelay)
	}
	for i, rung := range a.Ladder {
		at := index(join(path, "ladder"), i)
		rung.check(r, at, i, len(a.Ladder), providers)
		if rung.MinTime > a.Timeout && a.Timeout > 0 {
			r.add(join(at, "min_time"), "must be at most the agent's timeout %s, got %s: the rung would never be tried", a.Timeout, rung.MinTime)
		}
	}
}

// check tests the rung at position i of n.
func (g Rung) check(r *report, path string, i, n int, providers map[string]Provider) {
	name := join(path, "rung")
	switch {
	case g.Rung == RungCache:
		r.add(name, "cache is not available in this version; remove the rung")
		return
	case g.Rung == RungStatic && i < n-1:
		r.add(name, "static must be the last rung, because it always answers; move it to the end")
	case i == 0 && (g.Rung == RungFallback || g.Rung == RungStatic):
		r.add(name, "the first rung must be primary, got %s", quote(g.Rung))
	case i > 0 && g.Rung == RungPrimary:
		r.add(name, "only the first rung is primary; call this one fallback")
	}
	if g.Rung == RungStatic {
		g.checkStatic(r, path)
		return
	}
	if g.Text != "" {
		r.add(join(path, "text"), "only the rung static has a text; remove it")
	}
	if g.Provider == "" {
		r.add(join(path, "provider"), "missing; write for example provider: echo")
	} else if _, ok := providers[g.Provider]; !ok {
		r.unknown(join(path, "provider"), "providers", g.Provider)
	}
}

func (g Rung) checkStatic(r *report, path string) {
	if g.Text == "" {
		r.add(join(path, "text"), "the rung static needs it: it is the whole answer")
	}
	if g.Provider != "" {
		r.add(join(path, "provider"), "the rung static has none; remove it, or call the rung fallback")
	}
}
