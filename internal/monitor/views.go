package monitor

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"genesis/pkg/bus"
)

// A WorkerView is a worker as GET /v1/workers lists it.
type WorkerView struct {
	Name     string     `json:"name"`
	Version  string     `json:"version"`
	Started  time.Time  `json:"started"`
	Agents   []string   `json:"agents"`
	Slots    int        `json:"slots"`
	InUse    int        `json:"slots_in_use"`
	Draining bool       `json:"draining"`
	Lost     *time.Time `json:"lost"` // since when; null: it is there
}

func (s *Server) workersView() []WorkerView {
	all := s.staff.workers(time.Now().UTC())
	views := make([]WorkerView, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w := all[name]
		v := WorkerView{name, w.Version, w.Started, w.Agents, w.Slots, w.InUse, w.Draining, nil}
		if !w.Lost.IsZero() {
			v.Lost = &w.Lost
		}
		views = append(views, v)
	}
	return views
}

// A BreakerView is a breaker over all workers as GET /v1/breakers lists it.
type BreakerView struct {
	Service  string   `json:"service"`
	State    string   `json:"state"` // of most workers: closed, open or half_open
	Open     int      `json:"open"`
	HalfOpen int      `json:"half_open"`
	Closed   int      `json:"closed"`
	Isolated bool     `json:"isolated"`
	Reason   string   `json:"reason,omitempty"`
	Agents   []string `json:"agents"` // with a rung that calls it
}

func (s *Server) breakersView() []BreakerView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]BreakerView, 0, len(s.known.Breakers))
	for _, name := range slices.Sorted(maps.Keys(s.known.Breakers)) {
		b := s.known.Breakers[name]
		v := BreakerView{name, "closed", b.Open, b.HalfOpen, b.Closed, b.Isolated, b.Reason, append([]string{}, b.Agents...)}
		switch {
		case b.Shut():
			v.State = "open"
		case b.HalfOpen > b.Closed:
			v.State = "half_open"
		}
		views = append(views, v)
	}
	return views
}

// A ComponentView is the state of a component as GET /v1/components lists it.
type ComponentView struct {
	Component string          `json:"component"` // KIND/NAME
	State     bus.HealthState `json:"state"`
	Since     time.Time       `json:"since"`
	Reason    string          `json:"reason"`
}

// components are those that an event was ever told of, in the last seven days.
func (s *Server) components() []ComponentView {
	s.mu.Lock()
	defer s.mu.Unlock()
	standings := s.standings()
	views := make([]ComponentView, 0, len(standings))
	for _, known := range standings {
		views = append(views, ComponentView{known.Component.String(), known.State, known.Since, known.Reason})
	}
	slices.SortFunc(views, func(a, b ComponentView) int {
		if r := b.State.Rank() - a.State.Rank(); r != 0 {
			return r
		}
		return strings.Compare(a.Component, b.Component)
	})
	return views
}

// wantsList tells whether a caller asked for JSON instead of server-sent events.
func wantsList(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		if strings.Contains(accept, "application/json") {
			return true
		}
	}
	return false
}
