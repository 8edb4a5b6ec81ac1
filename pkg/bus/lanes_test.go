package bus_test

import (
	"errors"
	"sync"
	"testing"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestOneIDIsQueuedOnceOverBothLanes(t *testing.T) {
	for name, group := range map[string]bool{"single publishes": false, "group commit": true} {
		t.Run(name, func(t *testing.T) {
			s := bustest.Start(t)
			connect(t, s, "a")
			b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL(), GroupCommit: group})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			var mu sync.Mutex
			accepted := map[string]int{}
			var wg sync.WaitGroup
			for i := range 200 {
				id := string(rune('a' + i%20))
				lane := bus.Lanes()[i/20%2]
				wg.Go(func() {
					_, err := b.Publish(t.Context(), bus.Envelope{Agent: "a", Lane: lane, ID: id, Request: bus.Request{Prompt: "hi"}})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						accepted[id]++
					} else if !errors.Is(err, bus.ErrExists) {
						t.Errorf("publish %s to %s: %v", id, lane, err)
					}
				})
			}
			wg.Wait()
			for id, n := range accepted {
				if n != 1 {
					t.Errorf("id %s was accepted %d times, want once", id, n)
				}
			}
			if n := queued(t, b, "a"); len(accepted) != 20 || n != 20 {
				t.Errorf("%d ids were accepted and %d messages are queued, want 20 and 20", len(accepted), n)
			}
		})
	}
}
