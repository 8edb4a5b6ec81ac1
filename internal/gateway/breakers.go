package gateway

import (
	"maps"
	"slices"

	"genesis/pkg/resilience"
)

// BreakerView is the breaker of one provider over all workers that have it.
type BreakerView struct {
	Name     string `json:"name" doc:"The provider"`
	State    string `json:"state" enum:"closed,open,half_open" doc:"open: most workers do not call the provider, or an operator forbids it; half_open: most do not, or only try; else closed"`
	Closed   int    `json:"closed" doc:"Workers that call the provider"`
	Open     int    `json:"open" doc:"Workers that do not"`
	HalfOpen int    `json:"half_open" doc:"Workers that try whether it is back"`
	Isolated bool   `json:"isolated" doc:"Whether an operator holds it open"`
	Reason   string `json:"reason,omitempty" doc:"Why it is not closed"`
}

// breakers merges what the workers say of their breakers, by provider; false when they
// are not known.
func (w *watch) breakers() ([]BreakerView, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]*BreakerView)
	for _, name := range slices.Sorted(maps.Keys(w.workers)) {
		for _, b := range w.workers[name].Breakers {
			v := all[b.Name]
			if v == nil {
				v = &BreakerView{Name: b.Name}
				all[b.Name] = v
			}
			switch b.State {
			case resilience.StateOpen:
				v.Open++
			case resilience.StateHalfOpen:
				v.HalfOpen++
			default:
				v.Closed++
			}
			v.Isolated = v.Isolated || b.Isolated
			if v.Reason == "" || b.Isolated {
				v.Reason = b.Reason
			}
		}
	}
	views := make([]BreakerView, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		v := all[name]
		v.State = v.most()
		views = append(views, *v)
	}
	return views, w.seen
}

// most is the state of most, as the monitor counts them.
func (v *BreakerView) most() string {
	switch {
	case v.Isolated, v.Open > v.HalfOpen+v.Closed:
		return resilience.StateOpen
	case v.Open+v.HalfOpen > v.Closed:
		return resilience.StateHalfOpen
	}
	return resilience.StateClosed
}
