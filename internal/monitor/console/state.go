package console

// unknown is the class of what is not known.
const unknown = "unknown"

// Class is the state as the page's classes and icons name it: one of four words.
func (s State) Class() string {
	switch s {
	case Healthy, Degraded, Unhealthy:
		return string(s)
	default:
		return unknown
	}
}

// Label is the state in a word for people.
func (s State) Label() string {
	switch s {
	case Healthy:
		return "Healthy"
	case Degraded:
		return "Degraded"
	case Unhealthy:
		return "Unhealthy"
	default:
		return "Not known"
	}
}

// compare puts the worse first. What is not known comes before what is healthy.
func (s State) compare(other State) int { return other.weight() - s.weight() }

func (s State) weight() int {
	switch s {
	case Unhealthy:
		return 3
	case Degraded:
		return 2
	case Healthy:
		return 0
	default:
		return 1
	}
}

// State is how a breaker looks among the other states: shut, wavering or closed.
func (b Breaker) State() State {
	switch {
	case b.Isolated || b.Open > b.Closed+b.HalfOpen:
		return Unhealthy
	case b.Open+b.HalfOpen > 0:
		return Degraded
	default:
		return Healthy
	}
}

// Label is the state of a breaker in its own words.
func (b Breaker) Label() string {
	switch {
	case b.Isolated:
		return "Isolated"
	case b.Open > b.Closed+b.HalfOpen:
		return "Open"
	case b.Open > 0:
		return "Partly open"
	case b.HalfOpen > 0:
		return "Half-open"
	case b.Closed > 0:
		return "Closed"
	default:
		return "Not in use"
	}
}

// State is how a worker looks among the other states.
func (w Worker) State() State {
	switch {
	case !w.Lost.IsZero():
		return Unhealthy
	case w.Draining:
		return Degraded
	default:
		return Healthy
	}
}

// Label is the state of a worker in its own words.
func (w Worker) Label() string {
	switch {
	case !w.Lost.IsZero():
		return "Lost"
	case w.Draining:
		return "Draining"
	default:
		return "Serving"
	}
}

// Known reports whether it is one of the states.
func (s State) Known() bool { return s.Class() != unknown }

// Ill reports whether it is known, and not healthy.
func (s State) Ill() bool { return s.Known() && s != Healthy }

// Class is the class of its state.
func (b Breaker) Class() string { return b.State().Class() }

// Class is the class of its state.
func (w Worker) Class() string { return w.State().Class() }
