package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/resilience"
)

// chaosLook is how often scenarios that could not be added are tried again.
const chaosLook = time.Second

// FollowChaos keeps a worker's chaos equal to the bucket genesis_chaos until ctx ends;
// then it ends the scenarios it began, and returns nil. A change arrives at once. While
// the broker is away the last scenarios stay, until each expires by itself. What a
// scenario has counted is kept as long as nobody changes it. In production nothing is
// added, and each attempt is logged.
func (b *Bus) FollowChaos(ctx context.Context, chaos *resilience.Chaos) error {
	if chaos == nil {
		return errors.New("follow chaos: there is none")
	}
	f := &chaosFollower{bus: b, chaos: chaos, have: map[string]*chaosKey{}}
	b.follow(ctx, bucketChaos, chaosLook, follower{
		begin: func() { f.seen = map[string]bool{} },
		told:  f.told,
		ready: f.forget,
		tick:  func(context.Context) { f.retry() },
	})
	for name := range f.have {
		chaos.Remove(name)
	}
	return nil
}

// A chaosFollower mirrors the bucket.
type chaosFollower struct {
	bus   *Bus
	chaos *resilience.Chaos
	have  map[string]*chaosKey // by key, which is the scenario's name
	seen  map[string]bool      // what the watch that began told; nil when all is told
}

type chaosKey struct {
	revision uint64
	scenario ChaosScenario
	waiting  bool // it could not be added yet
	logged   bool // and that is known
}

func (f *chaosFollower) told(e jetstream.KeyValueEntry) {
	name := e.Key()
	if e.Operation() != jetstream.KeyValuePut {
		f.drop(name)
		return
	}
	if f.seen != nil {
		f.seen[name] = true
	}
	if k := f.have[name]; k != nil && k.revision == e.Revision() {
		return // told again
	}
	s, err := readChaos(e)
	if err != nil {
		f.bus.log.Warn("chaos is ignored", "scenario", name, "error", err)
		f.drop(name)
		return
	}
	k := &chaosKey{revision: e.Revision(), scenario: s}
	f.have[name] = k
	f.add(k)
}

// forget drops what was removed while nobody watched.
func (f *chaosFollower) forget() {
	for name := range f.have {
		if !f.seen[name] {
			f.drop(name)
		}
	}
	f.seen = nil
}

func (f *chaosFollower) drop(name string) {
	if f.have[name] != nil {
		delete(f.have, name)
		f.chaos.Remove(name)
		f.bus.log.Info("chaos ends", "scenario", name)
	}
}

func (f *chaosFollower) retry() {
	for _, k := range f.have {
		if k.waiting {
			f.add(k)
		}
	}
}

// add starts a scenario. One for which the engine is not ready yet is tried again.
func (f *chaosFollower) add(k *chaosKey) {
	k.waiting = false
	now, name := time.Now(), k.scenario.Name
	if !k.scenario.ExpiresAt.After(now) {
		f.chaos.Remove(name) // one before it may be at work
		return
	}
	s, err := k.scenario.scenario(now)
	if err == nil {
		err = f.chaos.Add(s)
		k.waiting = err != nil && !errors.Is(err, resilience.ErrChaosRefused)
	}
	switch {
	case err == nil:
		f.bus.log.Warn("chaos begins", "scenario", name, "kind", string(s.Kind),
			"operator", k.scenario.Operator, "reason", k.scenario.Reason, "until", k.scenario.ExpiresAt)
	case !k.logged:
		k.logged = true
		f.bus.log.Warn("chaos is not injected", "scenario", name, "error", err)
	}
}
