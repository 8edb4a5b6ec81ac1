package monitor

import (
	"maps"
	"slices"
	"sync"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// remembered is how long a lost worker is kept, longer than its loss is told of.
const remembered = 2 * health.Forgotten

// staff knows the workers: those that are there, by their leases, and those that
// were lost. It is told by bus.FollowWorkers.
type staff struct {
	changed func() // somebody came, left or was lost

	mu    sync.Mutex
	here  map[string]bus.WorkerLease
	lost  map[string]loss
	known bool // all leases have been heard since the connection was made
}

// A loss is a worker whose lease ended without a farewell.
type loss struct {
	lease bus.WorkerLease
	at    time.Time
}

func newStaff(changed func()) *staff {
	return &staff{changed: changed, here: map[string]bus.WorkerLease{}, lost: map[string]loss{}}
}

func (s *staff) follower() bus.WorkerFollower {
	return bus.WorkerFollower{
		Here: s.came,
		Left: func(name string) { s.gone(name, false) },
		Lost: func(name string) { s.gone(name, true) },
		Ready: func() {
			s.setKnown(true)
			s.changed()
		},
		Blind: func() { s.setKnown(false) },
	}
}

func (s *staff) setKnown(known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = known
}

func (s *staff) came(lease bus.WorkerLease) {
	s.mu.Lock()
	before, was := s.here[lease.Name]
	s.here[lease.Name] = lease
	delete(s.lost, lease.Name)
	s.mu.Unlock()
	if !was || before.Draining != lease.Draining {
		s.changed()
	}
}

func (s *staff) gone(name string, lost bool) {
	s.mu.Lock()
	lease, was := s.here[name]
	delete(s.here, name)
	if was && lost {
		s.lost[name] = loss{lease, time.Now()}
	}
	s.mu.Unlock()
	if was {
		s.changed()
	}
}

// leases are those that are there, by name; false when that is not known.
func (s *staff) leases() ([]bus.WorkerLease, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.here), func(a, b bus.WorkerLease) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}), s.known
}

// workers are all of them as a snapshot taken at that time has them.
func (s *staff) workers(at time.Time) map[string]health.Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]health.Worker, len(s.here)+len(s.lost))
	for name, lease := range s.here {
		all[name] = workerOf(lease)
	}
	for name, l := range s.lost {
		ago := time.Since(l.at)
		if ago > remembered {
			delete(s.lost, name)
			continue
		}
		w := workerOf(l.lease)
		w.Lost = at.Add(-ago)
		all[name] = w
	}
	return all
}

func workerOf(lease bus.WorkerLease) health.Worker {
	w := health.Worker{Version: lease.Version, Started: lease.Started, Draining: lease.Draining}
	w.Agents = slices.Sorted(maps.Keys(lease.Agents))
	for _, load := range lease.Agents {
		w.Slots += load.Slots
		w.InUse += load.InUse
	}
	return w
}
