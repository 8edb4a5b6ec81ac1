package bus_test

import (
	"errors"
	"testing"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// bury publishes a request of agent a that fails for good, and returns its dead letter.
func bury(t testing.TB, b *bus.Bus, id string) bus.DeadLetter {
	t.Helper()
	publish(t, b, bus.Envelope{Agent: "a", ID: id})
	return buryPending(t, b, id)
}

// buryPending lets what waits for agent a fail for good.
func buryPending(t testing.TB, b *bus.Bus, id string) bus.DeadLetter {
	t.Helper()
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: script(resilience.Permanent(errors.New("never")))})
	p.settlements(t, 1)
	p.stop()
	return letter(t, b, "a", id)
}
