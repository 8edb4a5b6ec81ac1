package console

import "math/bits"

// A tally is the whole in a few figures, also of what is not shown in rows.
type tally struct {
	Agents, Unhealthy, Degraded, Unknown int
	Lag, DeadLetters                     uint64
	Workers, Lost, Draining              int // Workers are those there
	Slots, InUse                         int
	Shut, Wavering                       int // breakers
}

func tallyOf(v View) tally {
	t := tally{Agents: len(v.Agents)}
	for i := range v.Agents {
		a := &v.Agents[i]
		switch a.State {
		case Unhealthy:
			t.Unhealthy++
		case Degraded:
			t.Degraded++
		case Healthy:
		default:
			t.Unknown++
		}
		t.Lag = add(t.Lag, a.Lag)
		t.DeadLetters = add(t.DeadLetters, a.DeadLetters)
	}
	for i := range v.Workers {
		w := &v.Workers[i]
		if !w.Lost.IsZero() {
			t.Lost++
			continue
		}
		if w.Draining {
			t.Draining++
		}
		t.Workers++
		t.Slots += w.Slots
		t.InUse += w.InUse
	}
	for _, b := range v.Breakers {
		switch b.State() {
		case Unhealthy:
			t.Shut++
		case Degraded:
			t.Wavering++
		case Healthy:
		}
	}
	return t
}

// add does not wrap around: figures come from other machines.
func add(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return ^uint64(0)
	}
	return sum
}
