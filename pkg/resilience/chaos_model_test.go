package resilience_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// Operators add and remove scenarios, time passes, calls come: each call meets
// what is at work for its service, and nothing else.
func TestChaosAgainstAModel(t *testing.T) {
	type scenario struct {
		kind     resilience.ScenarioKind
		services []string
		left     int // occurrences; -1: any number
		until    time.Time
	}
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		c := mustChaos(t, resilience.ChaosOptions{})
		model := map[string]*scenario{}
		services := []string{"llm", "database"}
		sweep := func() {
			for name, s := range model {
				if !time.Now().Before(s.until) {
					delete(model, name)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name")
				s := &scenario{
					kind: rapid.SampledFrom([]resilience.ScenarioKind{
						resilience.NetworkLatency, resilience.ServiceFailure, resilience.TransientFailure, resilience.DisableService,
					}).Draw(rt, "kind"),
					services: rapid.SliceOfNDistinct(rapid.SampledFrom(services), 1, 2, rapid.ID).Draw(rt, "services"),
					left:     -1,
					until:    time.Now().Add(15 * time.Minute),
				}
				add := resilience.Scenario{Name: name, Kind: s.kind, Services: s.services}
				if s.kind == resilience.TransientFailure {
					s.left = rapid.IntRange(1, 3).Draw(rt, "max occurrences")
					add.MaxOccurrences = s.left
				}
				if minutes := rapid.IntRange(0, 20).Draw(rt, "expires, min"); minutes > 0 {
					add.ExpiresAfter = time.Duration(minutes) * time.Minute
					s.until = time.Now().Add(add.ExpiresAfter)
				}
				mustAdd(rt, c, add)
				model[name] = s
			},
			"remove": func(rt *rapid.T) {
				sweep()
				c.List() // what has expired is not there to be removed
				name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name")
				_, want := model[name]
				if got := c.Remove(name); got != want {
					rt.Fatalf("remove %s: got %v, want %v", name, got, want)
				}
				delete(model, name)
			},
			"pass time": func(rt *rapid.T) {
				wait(time.Duration(rapid.IntRange(1, 10).Draw(rt, "minutes")) * time.Minute)
			},
			"call": func(rt *rapid.T) {
				service := rapid.SampledFrom(services).Draw(rt, "service")
				sweep()
				var wantTook time.Duration
				wantErr := false
				for _, s := range model {
					if !slices.Contains(s.services, service) || s.left == 0 {
						continue
					}
					s.left--
					if s.kind == resilience.NetworkLatency {
						wantTook += time.Second
					} else {
						wantErr = true
					}
				}
				start, reached := time.Now(), false
				err := c.Service(service).Do(t.Context(), func(context.Context) error { reached = true; return nil })
				if errors.Is(err, resilience.ErrChaos) != wantErr || reached == wantErr || time.Since(start) != wantTook {
					rt.Fatalf("call of %s: got %v, reached %v, after %v, want failed %v after %v", service, err, reached, time.Since(start), wantErr, wantTook)
				}
			},
			"": func(rt *rapid.T) {
				sweep()
				if got := c.List(); len(got) != len(model) {
					rt.Fatalf("got %d scenarios, want %d", len(got), len(model))
				}
			},
		})
	})
}
